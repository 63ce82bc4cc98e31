//! A checked flag: what its file says once every part of it is known to be sound, and what is in
//! force.

use std::sync::Arc;

use super::condition::{Condition, SegmentIndex};
use super::key::{AttributeName, FlagKey, RuleName, Salt, SegmentKey};
use super::rollout::Split;
use super::segment::{Members, Segment};
use super::strategy::{Baseline, Strategy};
use super::transport::Transports;

/// A flag as written, checked.
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
    /// The segments that entries and conditions name by their index here.
    pub segments: Vec<SegmentKey>,
}

/// What a rule may ask of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// One of these words; another word simply differs.
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

/// Matching any of these is enough.
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

/// What is in force: a definition, the segments it names, and what an operator laid over it.
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
    /// At least one has no good form: no answer that needs a segment can be trusted.
    Unusable,
}

impl Segments {
    /// Whether these are the very same segments, not merely equal ones.
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
    /// A flag as written, with nothing laid over it.
    pub fn as_written(definition: Arc<Definition>, segments: Segments) -> Flag {
        Flag { rollout: definition.rollout, definition, segments, stopped: false }
    }

    /// Whether this is the very same flag: nothing about it changed.
    pub fn is(&self, other: &Flag) -> bool {
        Arc::ptr_eq(&self.definition, &other.definition)
            && self.segments.is(&other.segments)
            && (self.rollout, self.stopped) == (other.rollout, other.stopped)
    }
}
