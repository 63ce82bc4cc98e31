//! What a start does with what it finds: a pure function from the witnesses to a decision.
//!
//! A witness that does not read says that something was known. What may have been stopped is then not opened, and nothing is made anew,
//! until a person decides.

use crate::truth::{Doubt, KnownHead};

/// What one file says of the newest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    Absent,
    /// It reads, and names this state.
    Good(KnownHead),
    /// It does not read; what it names all the same.
    Damaged(Option<KnownHead>),
    /// A newer build wrote it in a form that this one must not read.
    OfNewerBuild,
}

/// What the database says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Absent,
    /// It reads. `descends`: the newest state that its copies name is part of its history. `is_whole`: no revision is missing of it.
    Good {
        known: KnownHead,
        descends: bool,
        is_whole: bool,
    },
    /// It does not read, or does not open.
    Damaged,
    OfNewerBuild,
}

/// What the journal says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The newest state its header names.
    pub known: Option<KnownHead>,
    /// Which flags its entries may stop that do not read.
    pub doubt: Doubt,
}

/// The copies of the newest state that lie beside the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    pub last_good: Witness,
    /// `last-good.1`: always of an earlier state than the last good one.
    pub earlier: Witness,
    pub journal: Journal,
    /// Whether any file of ours lies in the folder.
    pub is_anything_ours: bool,
}

/// Where a state is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    Database,
    LastGood,
    Earlier,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The database is served and written to.
    Serve,
    /// Nothing was ever known here: a database is made, and files go live.
    First,
    /// Until a person accepts it, nothing widens, nothing is made anew, and no file is taken in. The base is served, the flags under
    /// doubt as stopped; without a base nothing is known.
    Hold { base: Option<Base>, doubt: Doubt },
}

impl Copies {
    /// The newest state that a copy names.
    pub fn known(&self) -> Option<&KnownHead> {
        // Of equal ones the first counts.
        let named = [named(&self.last_good), self.journal.known.as_ref(), named(&self.earlier)];
        named.into_iter().flatten().reduce(|best, next| if next.head.revision > best.head.revision { next } else { best })
    }
}

pub fn decide(database: &Database, copies: &Copies) -> Decision {
    let decided = match database {
        Database::Good { known, descends, is_whole: true } if is_at_known_head(known, *descends, copies) => {
            match copies.last_good {
                Witness::Absent | Witness::Good(_) => Decision::Serve,
                // That another names this head shows that the copy which does not read named no later one.
                Witness::Damaged(_) | Witness::OfNewerBuild if copies.journal.known.as_ref() == Some(known) => Decision::Serve,
                Witness::Damaged(_) | Witness::OfNewerBuild => hold(Some(Base::Database), Doubt::All),
            }
        }
        Database::Good { known, descends, is_whole } => hold_best(Some((known, *descends && *is_whole)), copies),
        Database::Absent if !copies.is_anything_ours => Decision::First,
        Database::Absent | Database::Damaged | Database::OfNewerBuild => match copies.last_good {
            Witness::Good(_) | Witness::Damaged(_) => hold_best(None, copies),
            Witness::Absent | Witness::OfNewerBuild => hold(None, Doubt::None),
        },
    };
    match (decided, copies.journal.doubt.clone()) {
        (decided, Doubt::None) => decided,
        (Decision::Serve, doubt) => hold(Some(Base::Database), doubt),
        // Something of ours that does not read: not a first start.
        (Decision::First, doubt) => hold(None, doubt),
        (Decision::Hold { base, doubt }, more) => hold(base, doubt.and(more)),
    }
}

/// Whether no copy names a later state, or another history.
fn is_at_known_head(known: &KnownHead, descends: bool, copies: &Copies) -> bool {
    let is_not_later = copies.known().is_none_or(|named| descends && named.head.revision <= known.head.revision);
    // The state before the last good one says that there was a later one, whatever became of that.
    let is_after_earlier = match (&copies.last_good, &copies.earlier) {
        (Witness::Good(_), _) => true,
        (_, Witness::Good(earlier)) => known.head.revision > earlier.head.revision,
        _ => true,
    };
    is_not_later && is_after_earlier
}

/// Holds, and serves the readable state with the highest head: as it is if that is the known head, else with every flag under doubt.
fn hold_best(database: Option<(&KnownHead, bool)>, copies: &Copies) -> Decision {
    let known = copies.known();
    let candidates = [
        (Base::Database, database.map(|(state, _)| state)),
        (Base::LastGood, good(&copies.last_good)),
        (Base::Earlier, good(&copies.earlier)),
    ];
    let readable = candidates.into_iter().filter_map(|(base, state)| Some((base, state?)));
    // How far another history has come cannot be compared: it comes last. Of equal ones the first is taken.
    let best = readable.min_by_key(|(base, state)| {
        let is_of_other_history = known.is_some_and(|known| {
            let does_not_descend = matches!((base, database), (Base::Database, Some((_, false))));
            known.epoch != state.epoch || does_not_descend && state.head.revision >= known.head.revision
        });
        (is_of_other_history, std::cmp::Reverse(state.head.revision))
    });
    match best {
        Some((Base::LastGood, state)) if Some(state) == known => hold(Some(Base::LastGood), Doubt::None),
        Some((base, _)) => hold(Some(base), Doubt::All),
        None => hold(None, Doubt::None),
    }
}

fn hold(base: Option<Base>, doubt: Doubt) -> Decision {
    Decision::Hold { base, doubt }
}

fn good(witness: &Witness) -> Option<&KnownHead> {
    match witness {
        Witness::Good(known) => Some(known),
        Witness::Absent | Witness::Damaged(_) | Witness::OfNewerBuild => None,
    }
}

fn named(witness: &Witness) -> Option<&KnownHead> {
    match witness {
        Witness::Good(known) | Witness::Damaged(Some(known)) => Some(known),
        Witness::Absent | Witness::Damaged(None) | Witness::OfNewerBuild => None,
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::truth::{ContentId, Head};

    /// The database the copies are of: `9` is the known head.
    fn state(revision: u64) -> KnownHead {
        let hash = ContentId::of(revision.to_string().as_bytes());
        KnownHead { epoch: "one".to_owned(), head: Head { revision, hash, committed_at_ms: 0 } }
    }

    fn database(word: &str) -> Database {
        match word {
            "absent" => Database::Absent,
            "good" => Database::Good { known: state(9), descends: true, is_whole: true },
            "further" => Database::Good { known: state(11), descends: true, is_whole: true },
            "older" => Database::Good { known: state(5), descends: false, is_whole: true },
            "rewritten" => {
                Database::Good { known: KnownHead { epoch: "one".to_owned(), ..other(9) }, descends: false, is_whole: true }
            }
            "another" => Database::Good { known: other(20), descends: false, is_whole: true },
            "holes" => Database::Good { known: state(9), descends: true, is_whole: false },
            "damaged" => Database::Damaged,
            "newer" => Database::OfNewerBuild,
            word => panic!("{word}"),
        }
    }

    fn other(revision: u64) -> KnownHead {
        let hash = ContentId::of(b"other");
        KnownHead { epoch: "other".to_owned(), head: Head { revision, hash, committed_at_ms: 0 } }
    }

    fn witness(word: &str) -> Witness {
        match word {
            "absent" => Witness::Absent,
            "good" => Witness::Good(state(9)),
            "older" => Witness::Good(state(5)),
            "earlier" => Witness::Good(state(8)),
            "same" => Witness::Good(state(9)),
            "damaged" => Witness::Damaged(None),
            "named" => Witness::Damaged(Some(state(9))),
            "newer" => Witness::OfNewerBuild,
            word => panic!("{word}"),
        }
    }

    fn journal(word: &str) -> Journal {
        let doubt = |doubt| Journal { known: Some(state(9)), doubt };
        match word {
            "absent" => Journal::default(),
            "good" => doubt(Doubt::None),
            "older" => Journal { known: Some(state(5)), doubt: Doubt::None },
            "entry" => doubt(["f".parse().unwrap()].into_iter().collect()),
            "damaged" | "newer" => Journal { known: None, doubt: Doubt::All },
            word => panic!("{word}"),
        }
    }

    fn in_words(decision: &Decision) -> String {
        let of = |base: &Option<Base>| base.map_or(String::new(), |base| format!(" {base:?}").to_lowercase());
        match decision {
            Decision::Serve => "D".to_owned(),
            Decision::First => "F".to_owned(),
            Decision::Hold { base: None, .. } => "C".to_owned(),
            Decision::Hold { base, doubt: Doubt::None } => format!("H1{}", of(base)),
            Decision::Hold { base, doubt: Doubt::All } => format!("H2{}", of(base)),
            Decision::Hold { base, doubt: Doubt::Flags(_) } => format!("H2f{}", of(base)),
        }
    }

    /// Database, last good, `last-good.1`, journal; what is decided.
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
        another   absent  absent  good     H2 database
        another   absent  earlier good     H2 earlier
        another   good    earlier good     H1 lastgood
        another   damaged earlier good     H2 earlier
        another   newer   absent  good     H2 database
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
        good      good    earlier damaged  H2 database
        good      good    earlier newer    H2 database
        older     good    earlier entry    H2f lastgood
        absent    good    earlier damaged  H2 lastgood
        absent    damaged earlier entry    H2 earlier
        absent    absent  absent  entry    C
    ";

    #[test]
    fn every_row_of_the_table_is_decided_as_it_says() {
        let rows = TABLE.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|row| !row.is_empty());
        for row in rows {
            let [of_database, last_good, earlier, of_journal, decided @ ..] = &row[..] else { panic!("{row:?}") };
            let is_empty = [of_database, last_good, earlier, of_journal].iter().all(|word| **word == "absent");
            let copies = Copies {
                last_good: witness(last_good),
                earlier: witness(earlier),
                journal: journal(of_journal),
                is_anything_ours: !is_empty,
            };
            let database = match (database(of_database), copies.known()) {
                // Nothing to descend from.
                (Database::Good { known, is_whole, .. }, None) => Database::Good { known, descends: true, is_whole },
                (database, _) => database,
            };
            assert_eq!(in_words(&decide(&database, &copies)), decided.join(" "), "{row:?}");
        }
    }
}
