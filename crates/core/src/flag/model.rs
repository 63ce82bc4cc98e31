//! A checked flag: the content of its file once every part is known to be sound, and the state in
//! force.

use std::sync::Arc;

use super::condition::{Condition, SegmentIndex};
use super::key::{AttributeName, FlagKey, RuleName, Salt, SegmentKey};
use super::rollout::Split;
use super::segment::{Members, Segment};
use super::strategy::{Baseline, Strategy};
use super::transport::Transports;

/// A flag as its file says, checked.
#[derive(Debug, PartialEq)]
pub struct Definition {
    pub key: FlagKey,
    pub description: Option<String>,
    pub owner: Option<String>,
    pub salt: Salt,
    pub enabled: bool,
    pub when_stopped: Baseline,
    pub default: Baseline,
    /// The text attribute that is the unit instead of the targeting key.
    pub bucket_by: Option<AttributeName>,
    pub attributes: Vec<(AttributeName, AttributeType)>,
    pub deny: Vec<Entry>,
    pub allow: Vec<Entry>,
    pub rules: Vec<Rule>,
    pub rollout: Option<Split>,
    pub transports: Transports,
    /// The segments, which entries and conditions name by their index here.
    pub segments: Vec<SegmentKey>,
}

/// The type of an attribute that rules may compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// One of these words; any other word differs from all of them.
    Words(Vec<String>),
    Text,
    Number,
    Version,
    Boolean,
}

/// An entry of `deny` or `allow`.
#[derive(Debug, PartialEq)]
pub struct Entry {
    pub who: Option<Audience>,
    pub when: Option<Condition>,
    pub strategy: Strategy,
}

/// The users an entry lists; one match is enough.
#[derive(Debug, Default, PartialEq)]
pub struct Audience {
    pub members: Members,
    pub segments: Vec<SegmentIndex>,
}

/// An entry of `rules`.
#[derive(Debug, PartialEq)]
pub struct Rule {
    pub name: RuleName,
    pub when: Condition,
    pub strategy: Strategy,
}

/// A flag in force: a definition, the segments it names, and an operator's overrides.
#[derive(Clone, Debug)]
pub struct Flag {
    pub definition: Arc<Definition>,
    pub segments: Segments,
    /// The split in force: an operator's, or the definition's own.
    pub rollout: Option<Split>,
    pub stopped: bool,
}

/// The segments of a flag in the order of [`Definition::segments`].
#[derive(Clone, Debug)]
pub enum Segments {
    Known(Vec<Arc<Segment>>),
    /// At least one has no good form, so no answer that needs a segment can be trusted.
    Unusable,
}

impl Segments {
    /// Whether these are the same segments in memory, not only equal ones.
    fn is(&self, other: &Segments) -> bool {
        match (self, other) {
            (Segments::Known(mine), Segments::Known(theirs)) => {
                mine.len() == theirs.len()
                    && mine.iter().zip(theirs).all(|(mine, theirs)| Arc::ptr_eq(mine, theirs))
            }
            (Segments::Unusable, Segments::Unusable) => true,
            _ => false,
        }
    }
}

impl Flag {
    /// A flag as its file says, without overrides.
    pub fn as_written(definition: Arc<Definition>, segments: Segments) -> Flag {
        Flag { rollout: definition.rollout, definition, segments, stopped: false }
    }

    /// Whether this is the same flag in memory: nothing about it changed.
    pub fn is(&self, other: &Flag) -> bool {
        Arc::ptr_eq(&self.definition, &other.definition)
            && self.segments.is(&other.segments)
            && (self.rollout, self.stopped) == (other.rollout, other.stopped)
    }
}
