//! One user's documents for every flag, without copying them: which outcome each flag has, and the
//! documents that all users share. The response's tag is made from the tag of each document.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;

use crate::document::{Document, Form, Pick, PositionStamp};
use crate::flag::{Context, ServerAuth};
use crate::snapshot::{FlagSnapshot, Position, Snapshot};

pub const OPEN: &[u8] = br#"{"flags":["#;
pub const CLOSE: &[u8] = b"]";
pub const END: &[u8] = b"}";

/// Which outcome each flag has for one user.
#[derive(Clone, Debug)]
pub struct Every {
    pub(super) entries: Arc<[Arc<FlagSnapshot>]>,
    /// In the order of the entries; empty while they are not needed again.
    pub(super) picks: Vec<Pick>,
    pub(super) form: Form,
    /// Bytes that stand in the body besides the flags.
    pub(super) beside: Bytes,
    mark: PositionStamp,
    documents_bytes: usize,
}

/// Who asks, and by which rules.
struct Asks<'a> {
    server_auth: ServerAuth,
    context: &'a Context<'a>,
    /// How many flags were evaluated.
    decided: Cell<usize>,
}

impl<'a> Asks<'a> {
    fn new(server_auth: ServerAuth, context: &'a Context<'a>) -> Asks<'a> {
        Asks { server_auth, context, decided: Cell::new(0) }
    }

    /// Which outcome a flag has, and its document; `known` is an outcome that was evaluated before.
    fn picked<'e>(
        &self,
        entry: &'e FlagSnapshot,
        known: Option<Pick>,
    ) -> (Pick, Option<&'e Document>) {
        let pick = known.unwrap_or_else(|| {
            self.decided.set(self.decided.get() + 1);
            entry.pick(entry.evaluate(self.server_auth, self.context))
        });
        (pick, entry.picked(pick))
    }
}

impl Every {
    /// Every flag of a snapshot, none of them evaluated yet.
    pub fn of(snapshot: &Snapshot, form: Form, beside: Bytes) -> Every {
        let entries = snapshot.shared_flags().clone();
        Every {
            picks: Vec::new(),
            entries,
            form,
            beside,
            mark: PositionStamp::default(),
            documents_bytes: 0,
        }
    }

    /// Evaluates up to so many further flags; true once all are evaluated.
    pub fn decide_some(
        &mut self,
        server_auth: ServerAuth,
        context: &Context<'_>,
        at_most: usize,
    ) -> bool {
        let entries = self.entries.clone();
        let asks = Asks::new(server_auth, context);
        self.picks.reserve_exact(entries.len() - self.picks.len());
        for entry in entries[self.picks.len()..].iter().take(at_most) {
            let (pick, document) = asks.picked(entry, None);
            self.picks.push(pick);
            self.count(None, document);
        }
        self.picks.len() == self.entries.len()
    }

    /// Counts a document that replaced another one, was added or was removed.
    fn count(&mut self, was: Option<&Document>, is: Option<&Document>) {
        if let Some(is) = is {
            self.mark = self.mark.with(is.mark(self.form));
            self.documents_bytes += is.bytes(self.form).len();
        }
        if let Some(was) = was {
            self.mark = self.mark.without(was.mark(self.form));
            self.documents_bytes -= was.bytes(self.form).len();
        }
    }

    /// Goes on to a newer snapshot than the one at `seen`: evaluates anew what changed between the
    /// two, and nothing else. Returns whether any flag has another document, and how many were
    /// evaluated.
    pub fn go_on_to(
        &mut self,
        snapshot: &Snapshot,
        seen: Position,
        context: &Context<'_>,
    ) -> (bool, usize) {
        let before = (self.mark, self.entries.len());
        let (old, new) = (self.entries.clone(), snapshot.shared_flags().clone());
        let asks = Asks::new(snapshot.server_auth(), context);
        match snapshot.changed_since(seen) {
            Some(indices) => {
                for index in indices {
                    let (_, was) = asks.picked(&old[index], self.picks.get(index).copied());
                    let (pick, is) = asks.picked(&new[index], None);
                    self.count(was, is);
                    self.picks.get_mut(index).into_iter().for_each(|known| *known = pick);
                }
            }
            None => self.compare(&old, &new, &asks),
        }
        self.entries = new;
        (before != (self.mark, self.entries.len()), asks.decided.get())
    }

    /// Compares the flags of before and of now, both in the order of their keys.
    fn compare(&mut self, old: &[Arc<FlagSnapshot>], new: &[Arc<FlagSnapshot>], asks: &Asks<'_>) {
        let known = std::mem::take(&mut self.picks);
        let mut picks = Vec::with_capacity(if known.is_empty() { 0 } else { new.len() });
        let mut rest = old.iter().enumerate().peekable();
        for is in new {
            while let Some((index, gone)) = rest.next_if(|(_, old)| old.key() < is.key()) {
                self.count(asks.picked(gone, known.get(index).copied()).1, None);
            }
            let was = rest.next_if(|(_, old)| old.key() == is.key());
            let kept = was.filter(|(_, was)| was.shares_documents_with(is)).map(|(index, _)| index);
            let pick = match kept {
                Some(index) => known.get(index).copied(),
                None => {
                    let was =
                        was.and_then(|(index, was)| asks.picked(was, known.get(index).copied()).1);
                    let (pick, is) = asks.picked(is, None);
                    self.count(was, is);
                    Some(pick)
                }
            };
            if !known.is_empty() {
                picks.extend(pick);
            }
        }
        for (index, gone) in rest {
            self.count(asks.picked(gone, known.get(index).copied()).1, None);
        }
        self.picks = picks;
    }

    /// Forgets which outcome each flag has; a later caller evaluates them again.
    pub fn forget_picks(&mut self) {
        self.picks = Vec::new();
    }

    /// Makes sure that the outcome of each flag is known. Returns how many were evaluated for it.
    pub fn know_picks(&mut self, server_auth: ServerAuth, context: &Context<'_>) -> usize {
        if !self.picks.is_empty() {
            return 0;
        }
        *self = self.emptied();
        self.decide_some(server_auth, context, usize::MAX);
        self.entries.len()
    }

    fn emptied(&self) -> Every {
        let Every { entries, form, beside, .. } = self;
        Every {
            entries: entries.clone(),
            picks: Vec::new(),
            form: *form,
            beside: beside.clone(),
            mark: PositionStamp::default(),
            documents_bytes: 0,
        }
    }

    /// The strong tag of the body.
    pub fn etag(&self) -> Bytes {
        self.mark.etag(self.entries.len(), &self.beside)
    }

    /// The length of the body in bytes.
    pub fn len(&self) -> usize {
        let commas = self.entries.len().saturating_sub(1);
        OPEN.len() + self.documents_bytes + commas + CLOSE.len() + self.beside.len() + END.len()
    }

    /// Counts each flag as answered.
    pub fn answered(&self) {
        self.entries.iter().zip(&self.picks).for_each(|(entry, pick)| entry.answered(*pick));
    }

    /// How many outcomes are known.
    pub fn evaluated(&self) -> usize {
        self.picks.len()
    }

    /// Memory the outcomes take.
    pub fn picked_bytes(&self) -> usize {
        size_of::<Every>() + self.picks.capacity() * size_of::<Pick>()
    }
}
