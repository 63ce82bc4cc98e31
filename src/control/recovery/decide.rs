//! Decides what a start does with what it finds: a pure function from the witnesses to a decision.
//!
//! An unreadable witness shows that something was known. A flag that may have been stopped is then
//! not opened, and nothing is made anew, until a person decides.

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

    fn newest(&self, counts: impl Fn(&KnownHead) -> bool) -> Option<&KnownHead> {
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
    fn descends_from(&self, known: Option<&KnownHead>, copies: &Copies) -> bool {
        let (Database::Good { holds, .. }, Some(known)) = (self, known) else { return true };
        let named = copies.named().into_iter().zip([holds.last_good, holds.journal, holds.earlier]);
        named
            .into_iter()
            .find(|(named, _)| *named == Some(known))
            .is_none_or(|(_, is_held)| is_held)
    }
}

pub fn decide(database: &Database, copies: &Copies) -> Decision {
    let (copies, _) = copies.without_foreign(database);
    let decided = match database {
        Database::Good { known, is_whole: true, .. }
            if is_at_known_head(known, database.descends(&copies), &copies) =>
        {
            match copies.last_good {
                CopyState::Absent | CopyState::Good(_) => Decision::Serve,
                // Another copy names this head, so the unreadable copy named no later one.
                CopyState::Damaged(_) | CopyState::OfNewerBuild
                    if copies.journal.known.as_ref() == Some(known) =>
                {
                    Decision::Serve
                }
                CopyState::Damaged(_) | CopyState::OfNewerBuild => {
                    hold(Some(Base::Database), Doubt::ALL)
                }
            }
        }
        Database::Good { .. } => hold_best(database, &copies),
        Database::Absent if !copies.is_anything_ours => Decision::First,
        Database::Absent | Database::Damaged | Database::OfNewerBuild => match copies.last_good {
            CopyState::Good(_) | CopyState::Damaged(_) => hold_best(database, &copies),
            CopyState::Absent | CopyState::OfNewerBuild => hold(None, Doubt::NONE),
        },
    };
    match (decided, copies.journal.doubt.clone()) {
        (decided, doubt) if doubt.is_none() => decided,
        (Decision::Serve, doubt) => hold(Some(Base::Database), doubt),
        // An unreadable file of Turnout: not a first start.
        (Decision::First, doubt) => hold(None, doubt),
        (Decision::Hold { base, doubt, is_disputed }, more) => {
            Decision::Hold { base, doubt: doubt.and(more), is_disputed }
        }
    }
}

/// Whether no copy names a later state, or another history.
fn is_at_known_head(known: &KnownHead, descends: bool, copies: &Copies) -> bool {
    let is_not_later =
        copies.known().is_none_or(|named| descends && named.head.revision <= known.head.revision);
    // The state before the last good one shows that there was a later one, whatever became of it.
    let is_after_earlier = match (&copies.last_good, &copies.earlier) {
        (CopyState::Good(_), _) => true,
        (_, CopyState::Good(earlier)) => known.head.revision > earlier.head.revision,
        _ => true,
    };
    is_not_later && is_after_earlier
}

/// Holds, and serves the readable state with the highest head: unchanged if that is the known head
/// and nothing contradicts it, otherwise with every flag in doubt.
fn hold_best(database: &Database, copies: &Copies) -> Decision {
    let epoch = epoch_of_most(database, copies);
    let known = copies.newest(|named| Some(&*named.epoch) == epoch);
    let is_ours = |state: &&KnownHead| Some(&*state.epoch) == epoch;
    let is_disputed = good(&copies.last_good)
        .is_some_and(|last_good| is_contradicted(last_good, database, copies));
    let (of_database, is_backed) = match database {
        Database::Good { known, holds, is_whole } => {
            (Some(known), *is_whole && holds.journal && copies.journal.known.is_some())
        }
        _ => (None, false),
    };
    let candidates = [
        (Base::Database, of_database),
        (Base::LastGood, good(&copies.last_good).filter(is_ours)),
        (Base::Earlier, good(&copies.earlier).filter(is_ours)),
    ];
    let readable = candidates.into_iter().filter_map(|(base, state)| Some((base, state?)));
    // Revisions of another history cannot be compared, so it comes last. Of equal states the first
    // is taken.
    let is_other = |base: Base, state: &KnownHead| match base {
        Base::Database => {
            let is_whole = matches!(database, Database::Good { is_whole: true, .. });
            let descends = is_whole && database.descends_from(known, copies);
            !is_ours(&state)
                || known
                    .is_some_and(|known| !descends && state.head.revision >= known.head.revision)
        }
        Base::LastGood => is_disputed && is_backed,
        Base::Earlier => false,
    };
    let best = readable.min_by_key(|(base, state)| {
        (is_other(*base, state), std::cmp::Reverse(state.head.revision))
    });
    match best {
        Some((Base::LastGood, state)) if Some(state) == known && !is_disputed => {
            hold(Some(Base::LastGood), Doubt::NONE)
        }
        Some((base, state)) => {
            let is_disputed = match base {
                Base::Database => !is_ours(&state),
                Base::LastGood => is_disputed,
                Base::Earlier => false,
            };
            Decision::Hold { base: Some(base), doubt: Doubt::ALL, is_disputed }
        }
        None => hold(None, Doubt::NONE),
    }
}

/// The database that most of the files belong to; if tied, the journal's, then the last good
/// state's.
fn epoch_of_most<'a>(database: &'a Database, copies: &'a Copies) -> Option<&'a str> {
    let of_database = match database {
        Database::Good { known, .. } => Some(known),
        _ => None,
    };
    let files = [
        copies.journal.known.as_ref(),
        named(&copies.last_good),
        of_database,
        named(&copies.earlier),
    ];
    let epochs: Vec<&str> = files.into_iter().flatten().map(|state| &*state.epoch).collect();
    let votes = |epoch: &str| epochs.iter().filter(|other| **other == epoch).count();
    epochs.iter().copied().reduce(|best, next| if votes(next) > votes(best) { next } else { best })
}

/// Whether another file contradicts a last good state: the journal, which names each state before
/// the last good one does; or, without a journal, a database at the same revision with another
/// history; or, without both, the state before it.
fn is_contradicted(last_good: &KnownHead, database: &Database, copies: &Copies) -> bool {
    match (&copies.journal.known, database) {
        (Some(journal), _) => {
            let is_earlier =
                journal.epoch == last_good.epoch && journal.head.revision > last_good.head.revision;
            journal != last_good && !is_earlier
        }
        (None, Database::Good { known, holds, .. }) => {
            !holds.last_good
                && (known.epoch != last_good.epoch
                    || known.head.revision >= last_good.head.revision)
        }
        // A state and the one before it belong to one database, unless another one was accepted:
        // then that one, or the journal, says so.
        (None, _) => named(&copies.earlier).is_some_and(|earlier| earlier.epoch != last_good.epoch),
    }
}

fn hold(base: Option<Base>, doubt: Doubt) -> Decision {
    Decision::Hold { base, doubt, is_disputed: false }
}

fn good(witness: &CopyState) -> Option<&KnownHead> {
    match witness {
        CopyState::Good(known) => Some(known),
        CopyState::Absent | CopyState::Damaged(_) | CopyState::OfNewerBuild => None,
    }
}

fn named(witness: &CopyState) -> Option<&KnownHead> {
    match witness {
        CopyState::Good(known) | CopyState::Damaged(Some(known)) => Some(known),
        CopyState::Absent | CopyState::Damaged(None) | CopyState::OfNewerBuild => None,
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ledger::{ContentHash, Doubted, Head};

    /// The database that the copies belong to: `9` is the known head.
    fn state(revision: u64) -> KnownHead {
        let hash = ContentHash::of(revision.to_string().as_bytes());
        KnownHead { epoch: "one".to_owned(), head: Head { revision, hash, committed_at_ms: 0 } }
    }

    fn database(word: &str, copies: &Copies) -> Database {
        let of = |known: KnownHead, is_whole| {
            let is_held = |named: Option<&KnownHead>| {
                named.is_none_or(|named| {
                    *named == known
                        || *named == state(named.head.revision)
                            && known == state(known.head.revision)
                            && named.head.revision <= known.head.revision
                })
            };
            let holds = CopiesInHistory {
                last_good: is_held(named(&copies.last_good)),
                journal: is_held(copies.journal.known.as_ref()),
                earlier: is_held(named(&copies.earlier)),
            };
            Database::Good { known, holds, is_whole }
        };
        match word {
            "absent" => Database::Absent,
            "good" => of(state(9), true),
            "further" => of(state(11), true),
            "older" => of(state(5), true),
            "rewritten" => of(twin(9), true),
            "another" => of(other(20), true),
            "holes" => of(state(9), false),
            "damaged" => Database::Damaged,
            "newer" => Database::OfNewerBuild,
            word => panic!("{word}"),
        }
    }

    fn other(revision: u64) -> KnownHead {
        let hash = ContentHash::of(b"other");
        KnownHead { epoch: "other".to_owned(), head: Head { revision, hash, committed_at_ms: 0 } }
    }

    /// The same database, copied and continued elsewhere.
    fn twin(revision: u64) -> KnownHead {
        KnownHead { epoch: "one".to_owned(), ..other(revision) }
    }

    fn witness(word: &str) -> CopyState {
        match word {
            "absent" => CopyState::Absent,
            "good" => CopyState::Good(state(9)),
            "older" => CopyState::Good(state(5)),
            "earlier" => CopyState::Good(state(8)),
            "same" => CopyState::Good(state(9)),
            "damaged" => CopyState::Damaged(None),
            "named" => CopyState::Damaged(Some(state(9))),
            "newer" => CopyState::OfNewerBuild,
            "foreign" => CopyState::Good(other(20)),
            "twin" => CopyState::Good(twin(9)),
            "twinlater" => CopyState::Good(twin(11)),
            "twinearlier" => CopyState::Good(twin(7)),
            word => panic!("{word}"),
        }
    }

    fn journal(word: &str) -> Journal {
        let doubt = |doubt| Journal { known: Some(state(9)), doubt };
        match word {
            "absent" => Journal::default(),
            "good" => doubt(Doubt::NONE),
            "older" => Journal { known: Some(state(5)), doubt: Doubt::NONE },
            "entry" => {
                doubt(Doubt { flags: ["f".parse().unwrap()].into_iter().collect(), ..Doubt::NONE })
            }
            "revocation" => doubt(Doubt {
                credentials: ["c".parse().unwrap()].into_iter().collect(),
                ..Doubt::NONE
            }),
            "damaged" | "newer" => Journal { known: None, doubt: Doubt::ALL },
            word => panic!("{word}"),
        }
    }

    fn in_words(decision: &Decision) -> String {
        let of = |base: &Option<Base>| {
            base.map_or(String::new(), |base| format!(" {base:?}").to_lowercase())
        };
        match decision {
            Decision::Serve => "D".to_owned(),
            Decision::First => "F".to_owned(),
            Decision::Hold { base: None, .. } => "C".to_owned(),
            Decision::Hold { base, doubt: Doubt { flags, credentials }, is_disputed } => {
                let what = match (flags, credentials) {
                    (Doubted::None, Doubted::None) => "H1",
                    (Doubted::All, Doubted::All) => "H2",
                    (Doubted::These(_), Doubted::None) => "H2f",
                    (Doubted::None, Doubted::These(_)) => "H2c",
                    other => panic!("{other:?}"),
                };
                format!("{what}{}{}", of(base), if *is_disputed { " disputed" } else { "" })
            }
        }
    }

    /// Database, last good, `last-good.1`, journal; the decision.
    const TABLE: &str = "
        absent    absent  absent  absent   F
        absent    absent  absent  good     C
        absent    absent  earlier absent   C
        absent    absent  absent  damaged  C
        absent    good    earlier good     H1 lastgood
        absent    good    absent  absent   H1 lastgood
        absent    older   absent  good     H2 lastgood
        absent    damaged earlier good     H2 earlier
        absent    damaged absent  good     C
        absent    newer   earlier good     C
        good      absent  absent  absent   D
        good      absent  earlier absent   D
        good      absent  same    absent   H2 database
        good      good    earlier good     D
        good      good    earlier absent   D
        good      older   absent  older    D
        further   good    earlier good     D
        further   absent  absent  good     D
        good      damaged earlier good     D
        good      named   earlier good     D
        good      damaged earlier absent   H2 database
        good      damaged earlier older    H2 database
        good      damaged same    good     H2 database
        further   damaged earlier good     H2 database
        good      newer   earlier good     D
        good      newer   earlier absent   H2 database
        older     absent  absent  absent   D
        older     absent  absent  good     H2 database
        older     absent  earlier absent   H2 earlier
        older     good    earlier good     H1 lastgood
        older     older   absent  good     H2 database
        older     damaged earlier good     H2 earlier
        older     damaged absent  good     H2 database
        older     named   absent  absent   H2 database
        older     newer   absent  good     H2 database
        another   absent  absent  absent   D
        another   absent  absent  good     H2 database disputed
        another   absent  earlier good     H2 earlier
        another   good    earlier good     H1 lastgood
        another   damaged earlier good     H2 earlier
        another   newer   absent  good     H2 database disputed
        rewritten good    earlier good     H1 lastgood
        rewritten damaged absent  good     H2 database
        holes     good    earlier good     H1 lastgood
        holes     absent  absent  good     H2 database
        holes     absent  absent  absent   H2 database
        holes     damaged earlier good     H2 earlier
        damaged   absent  absent  good     C
        damaged   absent  earlier absent   C
        damaged   good    earlier good     H1 lastgood
        damaged   older   absent  good     H2 lastgood
        damaged   damaged earlier good     H2 earlier
        damaged   damaged absent  good     C
        damaged   newer   earlier good     C
        newer     absent  absent  good     C
        newer     good    earlier good     H1 lastgood
        newer     damaged earlier good     H2 earlier
        newer     damaged absent  absent   C
        newer     newer   earlier good     C
        good      good    earlier entry    H2f database
        good      good    earlier revocation H2c database
        older     good    earlier revocation H2c lastgood
        absent    absent  absent  revocation C
        good      good    earlier damaged  H2 database
        good      good    earlier newer    H2 database
        older     good    earlier entry    H2f lastgood
        absent    good    earlier damaged  H2 lastgood
        absent    damaged earlier entry    H2 earlier
        absent    absent  absent  entry    C
        good      foreign earlier good     D
        good      foreign foreign good     D
        good      good    foreign good     D
        good      absent  foreign good     D
        good      twin    earlier good     D
        good      twin    absent  good     D
        good      twinearlier earlier good D
        good      twinlater earlier good   H2 database
        further   foreign earlier good     H2 database
        good      foreign earlier older    H2 database
        good      foreign earlier absent   H2 database
        good      foreign absent  absent   H2 lastgood disputed
        good      twin    absent  absent   H2 lastgood disputed
        older     foreign earlier good     H2 earlier
        older     twin    earlier good     H2 lastgood disputed
        older     good    earlier older    H2 earlier
        older     good    absent  older    H2 database
        older     good    earlier absent   H1 lastgood
        damaged   foreign earlier good     H2 earlier
        damaged   foreign absent  good     C
        absent    foreign absent  good     C
        absent    foreign foreign good     H2 lastgood disputed
        absent    foreign absent  absent   H1 lastgood
        absent    twin    earlier good     H2 lastgood disputed
        absent    twinlater absent good    H2 lastgood disputed
        absent    good    absent  older    H2 lastgood disputed
        newer     twin    absent  good     H2 lastgood disputed
    ";

    #[test]
    fn every_row_of_the_table_is_decided_as_it_says() {
        let rows = TABLE
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|row| !row.is_empty());
        let mut otherwise = Vec::new();
        for row in rows {
            let [of_database, last_good, earlier, of_journal, decided @ ..] = &row[..] else {
                panic!("{row:?}")
            };
            let is_empty =
                [of_database, last_good, earlier, of_journal].iter().all(|word| **word == "absent");
            let copies = Copies {
                last_good: witness(last_good),
                earlier: witness(earlier),
                journal: journal(of_journal),
                is_anything_ours: !is_empty,
            };
            let database = database(of_database, &copies);
            let is_decided = in_words(&decide(&database, &copies));
            if is_decided != decided.join(" ") {
                otherwise.push(format!("{row:?}: {is_decided}"));
            }
        }
        assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
    }
}
