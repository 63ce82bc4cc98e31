//! What a flag means. Floor 0: no IO, no async, no clock, no randomness, and no other module of
//! Turnout.
//!
//! Read [`evaluate`](evaluate()) first; everything else is what it needs. `docs/EVALUATION.md` says
//! the same in prose, and `tests/vectors/` in cases.

mod bucket;
mod bucket_moves;
mod condition;
mod context;
mod context_needs;
mod diff;
mod diff_builder;
mod diff_lists;
mod display;
mod evaluate;
mod id_set;
mod key;
mod model;
mod resolution;
mod rollout;
mod segment;
mod share;
mod strategy;
mod transport;
mod version;

pub use bucket::{Bucket, MAX_UNIT_BYTES, Unit, bucket, hash, self_test};
pub use bucket_moves::{Move, Moves, moves, shares};
pub use condition::{
    BooleanPredicate, Clause, Comparison, Condition, MatchResult, NumberPredicate, Predicate,
    SegmentIndex, TextPredicate, VersionPredicate,
};
pub use context::{
    Address, Attributes, Context, Identity, KeyTooLong, MAX_ADDRESS_BYTES, MAX_ATTRIBUTES,
    TargetingKey, Value, domain_of,
};
pub use context_needs::ContextNeeds;
pub use diff::{differences, segment_differences};
pub use diff_builder::Difference;
pub use evaluate::{
    EvaluationTracer, Placement, ServerAuth, bucket_for, evaluate, evaluate_as_enabled,
    evaluate_traced,
};
pub use id_set::{IdSet, MAX_ID_BYTES};
pub use key::{AttributeName, BadName, FlagKey, RuleName, Salt, SegmentKey};
pub use model::{AttributeType, Audience, Definition, Entry, Flag, Rule, Segments};
pub use resolution::{Reason, Resolution, Step};
pub use rollout::Split;
pub use segment::{Members, Segment, Trust};
pub use share::{BUCKETS, Share, ShareError};
pub use strategy::{Baseline, NotABaseline, Strategy};
pub use transport::{CachePolicy, Polling, Realtime, RealtimeKind, Transports};
pub use version::{MAX_VERSION_BYTES, Version};
