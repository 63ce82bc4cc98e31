//! What a flag's answers can depend on besides the targeting key. Code that keeps a context longer
//! than one request keeps only this part of it.

use std::collections::BTreeSet;

use super::condition::{Clause, Comparison, Condition};
use super::key::AttributeName;
use super::model::{Definition, Entry, Flag, Segments};
use super::segment::Members;

/// The attributes that rules compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextNeeds {
    names: BTreeSet<AttributeName>,
    /// Whether a list of addresses or domains can decide.
    address: bool,
}

impl ContextNeeds {
    pub fn by(flag: &Flag) -> ContextNeeds {
        let mut asked = ContextNeeds::default();
        asked.add(flag);
        asked
    }

    /// Adds what this flag needs.
    pub fn add(&mut self, flag: &Flag) {
        let definition = &*flag.definition;
        let declared = definition.attributes.iter().map(|(name, _)| name);
        declared.chain(&definition.bucket_by).for_each(|name| self.add_name(name));
        definition.deny.iter().chain(&definition.allow).for_each(|entry| self.add_entry(entry));
        definition.rules.iter().for_each(|rule| self.add_condition(&rule.when));
        if !self.address {
            self.address = segments_ask(definition, &flag.segments);
        }
    }

    #[inline]
    pub fn wants(&self, name: &str) -> bool {
        self.names.contains(name) || self.address && matches!(name, "email" | "email_verified")
    }

    /// The name of every needed attribute.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let address: &[&str] = if self.address { &["email", "email_verified"] } else { &[] };
        self.names.iter().map(AttributeName::as_str).chain(address.iter().copied())
    }

    fn add_name(&mut self, name: &AttributeName) {
        // Most flags need what other flags need.
        if !self.names.contains(name) {
            self.names.insert(name.clone());
        }
    }

    fn add_entry(&mut self, entry: &Entry) {
        self.address |= entry.who.as_ref().is_some_and(|who| ask(&who.members));
        entry.when.iter().for_each(|when| self.add_condition(when));
    }

    fn add_condition(&mut self, condition: &Condition) {
        for part in &condition.parts {
            match part {
                Clause::Attribute { name, comparison } => {
                    self.address |= matches!(comparison, Comparison::Email(_));
                    self.add_name(name);
                }
                Clause::Not(condition) => self.add_condition(condition),
                Clause::Segment(_) => {}
            }
        }
    }
}

fn ask(members: &Members) -> bool {
    !members.emails.is_empty() || !members.domains.is_empty()
}

/// A segment without a good form may list addresses once it has one.
fn segments_ask(definition: &Definition, segments: &Segments) -> bool {
    match segments {
        Segments::Known(segments) => segments.iter().any(|segment| ask(&segment.members)),
        Segments::Unusable => !definition.segments.is_empty(),
    }
}
