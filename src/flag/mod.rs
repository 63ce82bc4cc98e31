//! What a flag means. Floor 0: no IO, no async, no clock, no randomness, and nothing of ours but itself.
//!
//! Read [`evaluate`](evaluate()) first; everything else is what it needs. `docs/EVALUATION.md` says the same in prose, and
//! `tests/vectors/` in cases.

mod asked;
mod bucket;
mod condition;
mod context;
mod difference;
mod difference_of_lists;
mod evaluate;
mod id_set;
mod key;
mod model;
mod moves;
mod resolution;
mod rollout;
mod segment;
mod share;
mod strategy;
mod transport;
mod version;
mod written;

pub use asked::Asked;
pub use bucket::{Bucket, MAX_UNIT_BYTES, Unit, bucket, hash, self_test};
pub use condition::{BooleanTest, Comparison, Condition, NumberTest, Part, SegmentIndex, Test, TextTest, Truth, VersionTest};
pub use context::{
    Address, Attributes, Context, Identity, KeyTooLong, MAX_ADDRESS_BYTES, MAX_ATTRIBUTES, TargetingKey, Value, domain_of,
};
pub use difference::{Difference, differences, segment_differences};
pub use evaluate::{Placement, ServerAuth, Witness, evaluate, evaluate_before, place};
pub use id_set::{IdSet, MAX_ID_BYTES};
pub use key::{AttributeName, BadName, FlagKey, RuleName, Salt, SegmentKey};
pub use model::{AttributeType, Definition, Entry, Flag, Rule, Segments, Who};
pub use moves::{Move, Moves, moves, shares};
pub use resolution::{Reason, Resolution, Step};
pub use rollout::Split;
pub use segment::{Members, Segment, Trust};
pub use share::{BUCKETS, Share, ShareError};
pub use strategy::{Baseline, NotABaseline, Strategy, UnknownStrategy};
pub use transport::{Polling, Realtime, RealtimeKind, Transports, Validity};
pub use version::{MAX_VERSION_BYTES, Version};
