//! Every row of the table of what a start does.

use super::super::found::{CopiesInHistory, Journal};
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
