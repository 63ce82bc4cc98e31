//! The context of a user, kept for longer than a question takes: no more of it than flags need, and
//! how many bytes that is.

use std::borrow::Cow;

use crate::flag::{Attributes, Context, ContextNeeds, Value};

use super::caller::Caller;
use super::evaluation_request::EvaluationRequest;

/// What a listener costs besides the strings it holds.
const LISTENER_BYTES: usize = 256;
/// What an attribute costs besides its strings: its entry in a list, and the allocator's overhead.
const ATTRIBUTE_BYTES: usize = 96;

/// A caller who is answered later, or again and again.
#[derive(Debug)]
pub struct KeptContext {
    question: EvaluationRequest<'static>,
    caller: Caller,
    dropped: Dropped,
}

/// Names of attributes that were sent and not kept, as a filter of 64 bits. A name that is not in
/// it was never sent; a name that is in it probably was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dropped(u64);

impl KeptContext {
    /// Keeps what the flags need.
    pub fn of(
        question: EvaluationRequest<'_>,
        caller: &Caller,
        asked: &ContextNeeds,
    ) -> KeptContext {
        let mut dropped = Dropped::default();
        let claims = caller.claims().iter();
        claims
            .chain(question.attributes())
            .filter(|(name, _)| !asked.wants(name))
            .for_each(|(name, _)| dropped.add(name));
        let wants = |name: &str| asked.wants(name);
        KeptContext { caller: caller.keeping(wants), question: question.keeping(wants), dropped }
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The context to evaluate; it was checked when it was whole.
    pub fn context(&self) -> Option<Context<'_>> {
        self.question.context(&self.caller).ok()
    }

    /// Keeps everything that was sent: before the flags are known, they may need anything.
    pub fn whole(question: EvaluationRequest<'_>, caller: &Caller) -> KeptContext {
        KeptContext {
            caller: caller.clone(),
            question: question.keeping(|_| true),
            dropped: Dropped::default(),
        }
    }

    /// The same from its parts, as [`KeptContext::plain`] and [`KeptContext::dropped`] gave them.
    pub fn restored(
        caller: Caller,
        plain: Vec<(Cow<'static, str>, Value<'static>)>,
        dropped: u64,
    ) -> KeptContext {
        let question = EvaluationRequest::of_attributes(plain);
        KeptContext { question, caller, dropped: Dropped(dropped) }
    }

    /// What the user said, besides what is proved.
    pub fn plain(&self) -> &Attributes<'_> {
        self.question.attributes()
    }

    /// Which names were sent and not kept, as a number.
    pub fn dropped(&self) -> u64 {
        self.dropped.0
    }

    /// Whether anything was sent that is not kept.
    pub fn lacks_any(&self) -> bool {
        self.dropped != Dropped::default()
    }

    /// Whether the flags now need something that may have been sent and was not kept.
    pub fn lacks(&self, asked: &ContextNeeds) -> bool {
        self.lacks_any() && asked.names().any(|name| self.dropped.may_have(name) && !self.has(name))
    }

    /// The memory it takes in bytes, about.
    pub fn bytes(&self) -> usize {
        let key = self.question.targeting_key().map_or(0, str::len);
        LISTENER_BYTES + key + bytes(self.question.attributes()) + bytes(self.caller.claims())
    }

    fn has(&self, name: &str) -> bool {
        let named = |attributes: &Attributes<'_>| attributes.iter().any(|(other, _)| other == name);
        named(self.question.attributes()) || named(self.caller.claims())
    }
}

fn bytes(attributes: &Attributes<'_>) -> usize {
    let value = |value: &Value<'_>| if let Value::Text(text) = value { text.len() } else { 0 };
    attributes.iter().map(|(name, said)| ATTRIBUTE_BYTES + name.len() + value(said)).sum()
}

impl Dropped {
    fn add(&mut self, name: &str) {
        self.0 |= bit(name);
    }

    fn may_have(self, name: &str) -> bool {
        self.0 & bit(name) != 0
    }
}

/// One of 64 bits, by a hash of the name (FNV-1a).
fn bit(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    1 << (hash >> 58)
}
