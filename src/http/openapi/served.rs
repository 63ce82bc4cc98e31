//! A document as it is served.

use std::fmt;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::Document;
use crate::document::etag;

/// The bytes of a document and their tag, made at the first question for them.
#[derive(Clone)]
pub struct ServedDocument(Arc<LazyLock<Served, Box<dyn FnOnce() -> Served + Send>>>);

struct Served {
    body: Bytes,
    tag: Bytes,
}

impl ServedDocument {
    pub fn of(make: impl FnOnce() -> Document + Send + 'static) -> ServedDocument {
        let make = || {
            let body = Bytes::from(make().to_json().to_string());
            let tag = etag([&*body]);
            Served { body, tag }
        };
        ServedDocument(Arc::new(LazyLock::new(Box::new(make))))
    }

    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    pub fn tag(&self) -> &Bytes {
        &self.0.tag
    }
}

impl fmt::Debug for ServedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServedDocument")
    }
}
