//! Which buckets change their strategy when a flag changes: exact, and without knowing any user.
//!
//! Covers only the users who reach the rollout (or what replaces it); the differences of `deny`,
//! `allow` and `rules` are reported separately.

use std::ops::RangeInclusive;

use super::bucket::Bucket;
use super::model::Definition;
use super::share::{BUCKETS, Share};
use super::strategy::Strategy;

/// How a change of a flag moves its buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moves {
    /// These ranges, in order; all other buckets stay.
    Buckets(Vec<Move>),
    /// Another salt or unit gives every user a new bucket; this share of users is expected to get
    /// another strategy.
    Reshuffled(Share),
}

/// Adjacent buckets that move alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub buckets: RangeInclusive<u32>,
    pub from: Strategy,
    pub to: Strategy,
}

impl Move {
    pub fn share(&self) -> Share {
        let count = self.buckets.end() + 1 - self.buckets.start();
        Share::from_millipercent(count).unwrap_or(Share::ALL)
    }
}

/// The buckets that move between two definitions of a flag.
///
/// ```
/// # use turnout_core::definition::{DefinitionSet, FlagFiles};
/// # use turnout_core::flag::{Definition, moves, Moves};
/// # use std::sync::Arc;
/// # fn read(share: &str) -> Arc<Definition> {
/// #     let text = format!("version: 1\nflag: f\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: {{ realtime-v2: {share} }}\n");
/// #     let mut set = DefinitionSet::default();
/// #     set.update(&FlagFiles::of([("f.yaml", text.as_str())]));
/// #     set.flags().next().unwrap().1.unwrap().0
/// # }
/// let Moves::Buckets(moved) = moves(&read("10%"), &read("50%")) else { unreachable!() };
/// assert_eq!((moved[0].buckets.clone(), moved[0].share().to_string()), (10_000..=49_999, "40%".to_owned()));
/// ```
pub fn moves(old: &Definition, new: &Definition) -> Moves {
    let drawn_anew = (&old.salt, &old.bucket_by) != (&new.salt, &new.bucket_by);
    if drawn_anew && edges(old).len() > 1 && edges(new).len() > 1 {
        let stay: u64 = Strategy::ALL
            .into_iter()
            .map(|strategy| share(old, strategy) * share(new, strategy))
            .sum();
        let stay = (stay / u64::from(BUCKETS)) as u32;
        return Moves::Reshuffled(Share::from_millipercent(BUCKETS - stay).unwrap_or_default());
    }
    let mut starts: Vec<u32> = edges(old).into_iter().chain(edges(new)).collect();
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([BUCKETS]);
    let mut moved: Vec<Move> = Vec::new();
    for (start, end) in starts.iter().copied().zip(ends) {
        let (from, to) = (served(old, start), served(new, start));
        match moved.last_mut() {
            _ if from == to => {}
            Some(last)
                if *last.buckets.end() + 1 == start && (last.from, last.to) == (from, to) =>
            {
                last.buckets = *last.buckets.start()..=end - 1;
            }
            _ => moved.push(Move { buckets: start..=end - 1, from, to }),
        }
    }
    Moves::Buckets(moved)
}

/// The share of each strategy, without those at 0 %.
pub fn shares(definition: &Definition) -> Vec<(Strategy, Share)> {
    let share =
        |strategy| Share::from_millipercent(share(definition, strategy) as u32).unwrap_or_default();
    let all = Strategy::ALL.into_iter().map(|strategy| (strategy, share(strategy)));
    all.filter(|(_, share)| *share != Share::NONE).collect()
}

fn share(definition: &Definition, strategy: Strategy) -> u64 {
    let starts = edges(definition);
    let ends = starts.iter().skip(1).copied().chain([BUCKETS]);
    let of_strategy =
        starts.iter().zip(ends).filter(|(start, _)| served(definition, **start) == strategy);
    of_strategy.map(|(start, end)| u64::from(end - start)).sum()
}

/// The buckets at which the strategy may change; a single one for a flag with one strategy for all
/// users.
fn edges(definition: &Definition) -> Vec<u32> {
    let mut edges = vec![0];
    if let Some(split) = definition.rollout.filter(|_| definition.enabled) {
        edges.extend([split.realtime().millipercent(), BUCKETS - split.disabled().millipercent()]);
    }
    edges.retain(|edge| *edge < BUCKETS);
    edges.sort_unstable();
    edges.dedup_by_key(|edge| served(definition, *edge));
    edges
}

fn served(definition: &Definition, bucket: u32) -> Strategy {
    match (definition.rollout, Bucket::new(bucket)) {
        _ if !definition.enabled => definition.when_stopped.into(),
        (Some(split), Some(bucket)) => split.strategy(bucket, definition.default),
        _ => definition.default.into(),
    }
}
