//! What the handlers of the public listener share.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::client_mistakes::ClientMistakes;
use super::feeds::HeldPolls;
use super::incoming_bodies::IncomingBody;
use super::openapi::ServedDocument;
use super::proxies::Proxies;
use super::public::ConcurrencyLimit;
use super::requests::RequestCounts;
use super::sse::Hub;
use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::control::{Problems, SessionRevoker, Staleness};
use crate::feeds::Feeds;
use crate::live::Live;
use crate::public_path::PublicPath;
use crate::quota::Quota;
use crate::reports::Reports;

/// What handlers need. The router clones it a few times per request, and all cores count the clones
/// at the same memory address: so it is one reference, not one to each part.
#[derive(Clone, Debug)]
pub struct PublicState(Arc<Parts>);

/// The parts of the public listener's state.
#[derive(Debug)]
pub struct Parts {
    pub live: Arc<Live>,
    pub problems: Arc<Problems>,
    pub staleness: Arc<Staleness>,
    pub requests: RequestCounts,
    pub client_mistakes: ClientMistakes,
    pub authenticator: Arc<Authenticator>,
    pub hub: Arc<Hub>,
    pub feeds: Feeds,
    pub held_polls: Arc<HeldPolls>,
    pub reports: Reports,
    /// How many answers users had.
    pub quota: Quota,
    pub revoker: SessionRevoker,
    /// The clock that credentials are judged by.
    pub clock: Clock,
    /// The path below which a proxy serves this listener.
    pub public_path: PublicPath,
    /// The `eventStreams` member that ends OFREP's bulk response.
    pub event_streams: Bytes,
    /// The OpenAPI document.
    pub contract: ServedDocument,
    pub all_flags_limit: ConcurrencyLimit,
    pub proxies: Proxies,
    pub incoming_questions: IncomingBody,
    /// On the admin listener; strangers send nothing there.
    pub incoming_commands: IncomingBody,
}

impl PublicState {
    pub fn new(parts: Parts) -> PublicState {
        PublicState(Arc::new(parts))
    }
}

impl Deref for PublicState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
