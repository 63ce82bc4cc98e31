//! The answers of one flag as prepared bytes. Floor 1.
//!
//! No body depends on the user, the moment or the revision, so each outcome of a flag has one body,
//! made at its first use and kept as long as the flag does not change. The strong entity tag is a
//! hash of the body.

mod documents;
mod entity_tag;
mod ofrep_body;
mod outcomes;
mod strategy_body;

use std::sync::OnceLock;

use bytes::Bytes;
use serde::Serialize;

pub use documents::{Documents, Pick};
pub use entity_tag::{PositionStamp, etag};
use ofrep_body::ofrep;
use strategy_body::strategy_document;
use turnout_api::ofrep::ErrorCode;

use crate::flag::{Resolution, Transports};
use crate::public_path::PublicPath;

/// One outcome of a flag in each form that a client can ask for.
#[derive(Debug)]
pub struct Document {
    /// The strategy document.
    pub strategy: Bytes,
    /// Its strong entity tag, quoted.
    pub etag: Bytes,
    /// The OFREP answer: a success, or for `no-unit` and `error` a failure.
    pub ofrep: Bytes,
    /// The contribution of each form to the tag of an answer for all flags.
    marks: [PositionStamp; 2],
    /// The stream event for it.
    event: OnceLock<Bytes>,
}

/// The forms in which a client can ask for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Strategy,
    Ofrep,
}

impl Document {
    /// The answer for `key` while nothing is known yet.
    pub fn cold_start(key: &str, public_path: &PublicPath) -> Document {
        Document::new(
            key,
            &Transports::default(),
            public_path,
            Resolution::COLD_START,
            ErrorCode::General,
        )
    }

    fn new(
        key: &str,
        transports: &Transports,
        public_path: &PublicPath,
        resolution: Resolution,
        error_code: ErrorCode,
    ) -> Document {
        let document = strategy_document(key, transports, public_path, resolution);
        let strategy = to_bytes(&document);
        let etag = etag([&*strategy]);
        let ofrep = to_bytes(&ofrep(&document, error_code));
        let marks = [PositionStamp::of(&strategy), PositionStamp::of(&ofrep)];
        Document { strategy, etag, ofrep, marks, event: OnceLock::new() }
    }

    #[inline]
    pub fn bytes(&self, form: Form) -> &Bytes {
        match form {
            Form::Strategy => &self.strategy,
            Form::Ofrep => &self.ofrep,
        }
    }

    #[inline]
    pub fn mark(&self, form: Form) -> PositionStamp {
        self.marks[form as usize]
    }

    /// The stream event of this document; its first user makes it.
    #[inline]
    pub fn sse_event(&self, frame: impl FnOnce(&Document) -> Bytes) -> Bytes {
        self.event.get_or_init(|| frame(self)).clone()
    }
}

// Serialising the bodies cannot fail: their keys are texts and their numbers finite.
fn to_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
