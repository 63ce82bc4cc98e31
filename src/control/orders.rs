//! Which way an operator's order takes: at once, if it narrows; else by the lane, past every gate.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::lane::{Draft, NotCommitted, READ};
use super::{Corridor, Done, Inner, Order, Rejected};
use crate::flag::FlagKey;
use crate::store::{Page, Store, StoreError, Stored};
use crate::token::random_name;
use crate::truth::{Decided, Mark, Narrowed, Origin, Pending, Refused, Then, Undoing, Unknown, Wish};

/// How long an order may take that needs the database.
const ORDER: Duration = Duration::from_millis(2500);
/// How long an order may wait for those before it.
const LANE: Duration = Duration::from_millis(1200);
/// How long looking a name up may hold up what narrows.
const LOOK_UP: Duration = Duration::from_millis(200);
/// The most revisions somebody is told of who looked at an older one.
const SINCE: u32 = 20;

impl Corridor {
    /// Does what an operator wants. Once it is said to be done, it holds; an order whose caller went away is carried out all the same.
    pub async fn order(&self, order: Order) -> Result<Done, Rejected> {
        let inner = self.0.clone();
        match timeout(ORDER, tokio::spawn(async move { inner.order(order).await })).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) | Err(_) => Err(Rejected::Unknown),
        }
    }
}

impl Inner {
    async fn order(self: &Arc<Self>, order: Order) -> Result<Done, Rejected> {
        let began = Instant::now();
        let looked_at = self.truth().book.head.revision;
        if let Some(done) = self.look_up_quickly(&order).await? {
            return Ok(done);
        }
        let then = match &order.wish {
            Wish::Rollback { .. } => Some(self.then(&order.wish).await?),
            _ => None,
        };
        let mark = Mark {
            by: order.actor.clone(),
            at_ms: self.clock.wall_ms(),
            reason: order.reason.clone(),
            unknown: Unknown::default(),
        };
        {
            let _narrow = self.narrow.lock().await;
            // The same name may have come twice at once: the second waited here, and the first may be committed by now.
            let committed_since = self.truth().book.head.revision != looked_at;
            let done = match committed_since {
                false => self.look_up_pending(&order)?,
                true => {
                    timeout(LOOK_UP, self.look_up_quickly(&order)).await.unwrap_or_else(|_| self.look_up_pending(&order))?
                }
            };
            if let Some(done) = done {
                return Ok(done);
            }
            let decided = order.wish.decide(&self.truth(), then.as_ref().map(|(then, _)| then), &mark)?;
            if decided.parts.is_empty() {
                return Ok(Done::Unchanged);
            }
            if let Some(narrowed) = decided.narrowed(&mark) {
                let pending = pending(&order, &mark, narrowed);
                let id = pending.id.clone();
                let (waiting, journaled) = self.push(pending).await;
                drop(_narrow);
                return Ok(self.await_commit(began, &id, waiting, journaled, decided.parts).await);
            }
            check_gates(&order, &decided)?;
        }
        self.widen(order, mark).await
    }

    /// By the lane: decided again on what is then known, and committed before it is live.
    async fn widen(self: &Arc<Self>, order: Order, mark: Mark) -> Result<Done, Rejected> {
        let lane = timeout(LANE, self.lane.clone().lock_owned()).await;
        let mut lane = lane.map_err(|_| Rejected::Down("it does not answer in time".to_owned()))?;
        let (mut decided, then, store) = loop {
            self.replay(&mut lane).await?;
            let store = self.store_of(&lane)?;
            if let Some(done) = look_up(&store, &order).await? {
                return Ok(done);
            }
            let then = match &order.wish {
                Wish::Rollback { .. } => Some(self.then_from(&store, &order.wish).await?),
                _ => None,
            };
            let truth = self.truth();
            // What narrowed meanwhile is committed first: a revision says what the one before it left, and nothing that is only pending.
            if truth.pending().is_empty() {
                break (order.wish.decide(&truth, then.as_ref().map(|(then, _)| then), &mark)?, then, store);
            }
        };
        if decided.parts.is_empty() {
            return Ok(Done::Unchanged);
        }
        check_gates(&order, &decided)?;
        if !decided.is_narrowing() {
            self.check_expected(&store, &order).await?;
        }
        decided.forms = then.map(|(_, forms)| forms).unwrap_or_default();
        let draft = Draft {
            actor: order.actor,
            origin: Origin::Api,
            reason: order.reason,
            effective_at_ms: None,
            key: order.key,
            changes: decided.changes(),
            forms: decided.forms,
        };
        let revision = self.commit(&mut lane, draft, None).await?;
        self.wake.notify_one();
        Ok(Done::Committed { revision, parts: decided.parts })
    }

    /// An order that was carried out before. The database is asked for no longer than a stop can wait.
    async fn look_up_quickly(&self, order: &Order) -> Result<Option<Done>, Rejected> {
        let pending = self.look_up_pending(order)?;
        if order.key.is_none() || pending.is_some() {
            return Ok(pending);
        }
        let store = match timeout(LOOK_UP, self.lane.lock()).await {
            Ok(lane) => lane.store.clone(),
            Err(_) => None,
        };
        match store {
            Some(store) => timeout(LOOK_UP, look_up(&store, order)).await.unwrap_or(Ok(None)),
            None => Ok(None),
        }
    }

    /// An order that is live and not yet committed.
    fn look_up_pending(&self, order: &Order) -> Result<Option<Done>, Rejected> {
        let Some((key, request)) = &order.key else { return Ok(None) };
        let pending = self.truth().pending().request_of(key);
        match pending {
            None => Ok(None),
            Some(known) if known != Some(*request) => Err(Rejected::KeyReused),
            Some(_) => {
                let position = self.live.current().position();
                Ok(Some(Done::Pending { position, survives_restart: true, parts: Vec::new() }))
            }
        }
    }

    /// Refused only if this flag, or a segment it names, changed since the caller looked.
    async fn check_expected(&self, store: &Store, order: &Order) -> Result<(), Rejected> {
        let (Some(expected), Some(flag)) = (order.expected, order.wish.flag()) else { return Ok(()) };
        let changed_at = self.truth().changed_at(flag.as_str());
        if changed_at <= expected {
            return Ok(());
        }
        let since = timeout(READ, self.since(store, flag, expected)).await.ok().and_then(Result::ok).unwrap_or_default();
        Err(Rejected::Moved { flag: flag.clone(), changed_at, since })
    }

    /// What changed a flag after a revision, and what last changed each segment it names; the newest first.
    async fn since(&self, store: &Store, flag: &FlagKey, expected: u64) -> Result<Vec<Stored>, StoreError> {
        let of_segments = self.truth().segments_changed_after(flag.as_str(), expected);
        let page = Page { flag: Some(flag.to_string()), after: Some(expected), limit: SINCE, ..Page::default() };
        let mut since = store.history(&page).await?;
        for revision in of_segments.into_iter().take(SINCE as usize) {
            let page = Page { after: Some(revision - 1), before: Some(revision + 1), limit: 1, ..Page::default() };
            since.extend(store.history(&page).await?);
        }
        since.sort_by_key(|stored| std::cmp::Reverse(stored.revision.revision));
        since.dedup_by_key(|stored| stored.revision.revision);
        since.truncate(SINCE as usize);
        Ok(since)
    }

    async fn then(&self, wish: &Wish) -> Result<(Then, crate::truth::Forms), Rejected> {
        let lane = timeout(READ, self.lane.lock()).await;
        let lane = lane.map_err(|_| Rejected::Down("it does not answer in time".to_owned()))?;
        let store = self.store_of(&lane)?;
        drop(lane);
        self.then_from(&store, wish).await
    }

    /// What was in force at the revision a rollback goes back to.
    async fn then_from(&self, store: &Store, wish: &Wish) -> Result<(Then, crate::truth::Forms), Rejected> {
        let Wish::Rollback { flag, to } = wish else { return Err(Rejected::Unknown) };
        let down = |error: StoreError| Rejected::Down(error.chain());
        {
            let truth = self.truth();
            if truth.flag(flag.as_str()).is_none() {
                return Err(Refused::unknown(&truth, flag).into());
            }
        }
        let revision = match to {
            Some(revision) => {
                let newest = self.truth().book.head.revision;
                if *revision > newest || *revision == 0 {
                    return Err(Rejected::NoSuchRevision(*revision));
                }
                *revision
            }
            None => {
                let undone = change_to_undo(store, flag).await.map_err(down)?;
                undone.ok_or_else(|| Refused::NothingToRollBack(flag.clone()))? - 1
            }
        };
        let at = store.flag_at(flag.as_str(), revision).await.map_err(down)?;
        let nothing = || match to {
            Some(_) => Refused::NothingThen { flag: flag.clone(), revision },
            None => Refused::NothingToRollBack(flag.clone()),
        };
        let (record, mut forms) = at.ok_or_else(nothing)?;
        let id = record.pin.as_ref().map(|pin| pin.definition).or(record.definition).ok_or_else(nothing)?;
        forms.read_flag(flag, &record).map_err(|_| nothing())?;
        let definition = forms.definitions.get(&id).cloned().ok_or_else(nothing)?;
        let held = record.split.as_ref();
        let split = held.map(|held| held.split).or(definition.rollout);
        let ends = held.and_then(|held| held.ends.clone());
        Ok((Then { revision, definition: (id, definition), split, ends }, forms))
    }
}

/// The revision of a flag's newest change that a rollback undoes. However long its history is, one page of it is in memory.
async fn change_to_undo(store: &Store, flag: &FlagKey) -> Result<Option<u64>, StoreError> {
    let mut undoing = Undoing::default();
    loop {
        let steps = store.steps(flag.as_str(), undoing.before()).await?;
        let none_older = steps.is_empty();
        let found = undoing.find(steps);
        if found.is_some() || none_older {
            return Ok(found);
        }
    }
}

/// What an order carried out before came to.
async fn look_up(store: &Store, order: &Order) -> Result<Option<Done>, Rejected> {
    let Some((key, request)) = &order.key else { return Ok(None) };
    match store.by_idempotency_key(key).await {
        Ok(Some((known, revision))) if known == request.to_string() => Ok(Some(Done::Repeated { revision })),
        Ok(Some(_)) => Err(Rejected::KeyReused),
        Ok(None) => Ok(None),
        Err(error) => Err(Rejected::Down(error.chain())),
    }
}

/// A narrowing change passes every gate.
fn check_gates(order: &Order, decided: &Decided) -> Result<(), Rejected> {
    if decided.is_narrowing() {
        return Ok(());
    }
    if !order.may_widen {
        return Err(Rejected::MayOnlyNarrow);
    }
    if order.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Rejected::ReasonNeeded);
    }
    Ok(())
}

fn pending(order: &Order, mark: &Mark, narrowed: Vec<Narrowed>) -> Pending {
    let (id, request) = order.key.clone().unzip();
    Pending {
        // Without randomness two orders of one millisecond by one operator would be one; the system gives it, or nothing works.
        id: id.or_else(random_name).unwrap_or_else(|| format!("{}-{}", mark.at_ms, mark.by)),
        at_ms: mark.at_ms,
        actor: order.actor.clone(),
        origin: Origin::Api,
        reason: order.reason.clone(),
        request,
        narrowed,
        revoked: Vec::new(),
        superseded: Vec::new(),
        unknown: Unknown::default(),
    }
}

impl From<NotCommitted> for Rejected {
    fn from(not: NotCommitted) -> Rejected {
        match not {
            NotCommitted::Down(why) => Rejected::Down(why),
            NotCommitted::NoSpace => Rejected::NoSpace,
            NotCommitted::Unknown => Rejected::Unknown,
        }
    }
}
