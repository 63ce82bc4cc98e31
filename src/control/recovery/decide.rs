//! Decides what a start does with what it finds: a pure function from the witnesses to a decision.
//!
//! An unreadable witness shows that something was known. A flag that may have been stopped is then
//! not opened, and nothing is made anew, until a person decides.

use super::found::{Base, Copies, CopyState, Database, Decision, named};
use crate::ledger::{Doubt, KnownHead};

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

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests;
