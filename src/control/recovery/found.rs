//! What a start finds of earlier states, and what it can decide.

use crate::ledger::{Doubt, KnownHead};

/// What one file says about the newest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyState {
    Absent,
    /// Readable; names this state.
    Good(KnownHead),
    /// Unreadable; the state it names, if that much can be read.
    Damaged(Option<KnownHead>),
    /// A newer build wrote it in a form that this one must not read.
    OfNewerBuild,
}

/// What the database says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Absent,
    /// Readable. `is_whole`: no revision is missing.
    Good {
        known: KnownHead,
        holds: CopiesInHistory,
        is_whole: bool,
    },
    /// Cannot be opened or read.
    Damaged,
    OfNewerBuild,
}

/// Which of the states that its copies name are part of a database's history. The value for a copy
/// that names none does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiesInHistory {
    pub last_good: bool,
    pub journal: bool,
    pub earlier: bool,
}

/// What the journal says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The newest state that its header names.
    pub known: Option<KnownHead>,
    /// The flags that its unreadable entries may stop, and the credentials they may revoke.
    pub doubt: Doubt,
}

/// The copies of the newest state beside the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    pub last_good: CopyState,
    /// `last-good.1`: always an earlier state than the last good one.
    pub earlier: CopyState,
    pub journal: Journal,
    /// Whether the folder contains any file of Turnout.
    pub is_anything_ours: bool,
}

/// The source of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    Database,
    LastGood,
    Earlier,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The database is used for reads and writes.
    Serve,
    /// Nothing was ever known here: a database is made, and the files go live.
    First,
    /// Until a person accepts it, nothing widens, nothing is made anew, and no file is taken in.
    /// The base is served, with flags in doubt as stopped; without a base nothing is known.
    ///
    /// `is_disputed`: another file contradicts the base, so that its credentials are not accepted.
    Hold { base: Option<Base>, doubt: Doubt, is_disputed: bool },
}

/// Files of another history than that of the database and the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    pub last_good: bool,
    pub earlier: bool,
}

impl Copies {
    /// The newest state that a copy names.
    pub fn known(&self) -> Option<&KnownHead> {
        self.newest(|_| true)
    }

    /// The state that each of them names: the last good state, the journal, the state before the
    /// last good one.
    pub fn named(&self) -> [Option<&KnownHead>; 3] {
        [named(&self.last_good), self.journal.known.as_ref(), named(&self.earlier)]
    }

    pub fn newest(&self, counts: impl Fn(&KnownHead) -> bool) -> Option<&KnownHead> {
        // Of equal states the first counts.
        let named = self.named().into_iter().flatten().filter(|named| counts(named));
        named.reduce(|best, next| if next.head.revision > best.head.revision { next } else { best })
    }

    /// The copies that count, and those of another history than the database and the journal, which
    /// agree: these copies are treated as damaged. The journal names each state before the last
    /// good one does. A later state of the same database is not such a copy: the other two may be
    /// older.
    pub fn without_foreign(&self, database: &Database) -> (Copies, Foreign) {
        let (Database::Good { known, holds, is_whole: true }, Some(_)) =
            (database, &self.journal.known)
        else {
            return (self.clone(), Foreign::default());
        };
        let is_foreign = |witness: &CopyState, is_held: bool| {
            let is_other = |named: &KnownHead| {
                named.epoch != known.epoch || named.head.revision <= known.head.revision
            };
            holds.journal && !is_held && named(witness).is_some_and(is_other)
        };
        let foreign = Foreign {
            last_good: is_foreign(&self.last_good, holds.last_good),
            earlier: is_foreign(&self.earlier, holds.earlier),
        };
        let or_damaged = |witness: &CopyState, is_foreign| {
            if is_foreign { CopyState::Damaged(None) } else { witness.clone() }
        };
        let (last_good, earlier) = (
            or_damaged(&self.last_good, foreign.last_good),
            or_damaged(&self.earlier, foreign.earlier),
        );
        (Copies { last_good, earlier, ..self.clone() }, foreign)
    }
}

impl Database {
    /// Whether the newest state that its copies name is part of its history.
    pub fn descends(&self, copies: &Copies) -> bool {
        self.descends_from(copies.known(), copies)
    }

    /// Whether this state, which one of the copies names, is part of its history.
    pub fn descends_from(&self, known: Option<&KnownHead>, copies: &Copies) -> bool {
        let (Database::Good { holds, .. }, Some(known)) = (self, known) else { return true };
        let named = copies.named().into_iter().zip([holds.last_good, holds.journal, holds.earlier]);
        named
            .into_iter()
            .find(|(named, _)| *named == Some(known))
            .is_none_or(|(_, is_held)| is_held)
    }
}

/// The state that a copy names, also where it does not read whole.
pub fn named(witness: &CopyState) -> Option<&KnownHead> {
    match witness {
        CopyState::Good(known) | CopyState::Damaged(Some(known)) => Some(known),
        CopyState::Absent | CopyState::Damaged(None) | CopyState::OfNewerBuild => None,
    }
}
