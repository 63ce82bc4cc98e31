//! The answers of one flag as prepared bytes. Floor 1.
//!
//! No body depends on the user, the moment or the revision, so each outcome of a flag has one body,
//! made at its first use and kept as long as the flag does not change. The strong entity tag is a
//! hash of the body.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::evaluation_counters::{Count, EvaluationCounters};
use crate::flag::{
    Flag, FlagKey, Polling, Realtime, Reason, Resolution, ServerAuth, Step, Strategy, Transports,
};
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

/// The basis for the tag of several documents: the sum of a hash of each. When a document is
/// replaced, its hash is subtracted and the new one added, so the tag of ten thousand documents
/// needs no look at the others (decision 0040).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PositionStamp(u128);

impl PositionStamp {
    fn of(document: &[u8]) -> PositionStamp {
        let mut bytes = [0; 16];
        Sha256::digest(document).iter().zip(&mut bytes).for_each(|(hashed, byte)| *byte = *hashed);
        PositionStamp(u128::from_be_bytes(bytes))
    }

    pub fn with(self, other: PositionStamp) -> PositionStamp {
        PositionStamp(self.0.wrapping_add(other.0))
    }

    pub fn without(self, other: PositionStamp) -> PositionStamp {
        PositionStamp(self.0.wrapping_sub(other.0))
    }

    /// The strong entity tag of `count` documents, and of `beside`, the rest of the body.
    pub fn etag(self, count: usize, beside: &[u8]) -> Bytes {
        etag([&self.0.to_be_bytes()[..], &(count as u64).to_be_bytes(), beside])
    }
}

/// The index of one of a flag's outcomes. A flag has far fewer than 256, whatever its file says:
/// outcomes differ by strategy, step and reason alone.
pub type Pick = u8;

/// The documents of one flag, made at their first use.
#[derive(Debug)]
pub struct Documents {
    key: FlagKey,
    transports: Transports,
    /// The prefix of every address.
    public_path: PublicPath,
    /// The OFREP error code that `error` maps to.
    error_code: &'static str,
    outcomes: Vec<Outcome>,
}

#[derive(Debug)]
struct Outcome {
    resolution: Resolution,
    document: OnceLock<Document>,
    answered: Count,
}

impl Documents {
    /// Every outcome the flag can have; `None` for a flag with no good form.
    pub fn of(
        key: &FlagKey,
        flag: Option<&Flag>,
        error_is_ours: bool,
        server_auth: ServerAuth,
        public_path: &PublicPath,
        tally: &EvaluationCounters,
    ) -> Documents {
        let outcome = |resolution| Outcome {
            resolution,
            document: OnceLock::new(),
            answered: tally.count(key, resolution),
        };
        let outcomes = outcomes(flag, server_auth).into_iter().map(outcome).collect();
        Documents {
            key: key.clone(),
            transports: flag.map(|flag| flag.definition.transports.clone()).unwrap_or_default(),
            public_path: public_path.clone(),
            error_code: if error_is_ours { "GENERAL" } else { "INVALID_CONTEXT" },
            outcomes,
        }
    }

    /// Passes on the document of one outcome, and counts it as answered.
    pub fn with<R>(&self, resolution: Resolution, use_it: impl FnOnce(&Document) -> R) -> R {
        self.find(resolution, |outcome| outcome.answered.add_one(), use_it)
    }

    /// Passes on the document of one outcome without counting it, for comparisons.
    pub fn document_uncounted<R>(
        &self,
        resolution: Resolution,
        use_it: impl FnOnce(&Document) -> R,
    ) -> R {
        self.find(resolution, |_| (), use_it)
    }

    /// The index of a resolution's outcome, for callers that evaluate many flags first and take the
    /// documents later.
    pub fn pick(&self, resolution: Resolution) -> Pick {
        let place = self.outcomes.iter().position(|outcome| outcome.resolution == resolution);
        debug_assert!(place.is_some(), "every outcome that can occur is prepared");
        let baseline =
            || self.outcomes.iter().position(|outcome| outcome.resolution == Resolution::ERROR);
        place.or_else(baseline).and_then(|place| Pick::try_from(place).ok()).unwrap_or_default()
    }

    /// The document of an outcome that was picked before.
    pub fn picked(&self, pick: Pick) -> Option<&Document> {
        let outcome = self.outcomes.get(usize::from(pick))?;
        Some(outcome.document.get_or_init(|| self.make(outcome.resolution)))
    }

    /// Counts a picked outcome as answered.
    pub fn answered(&self, pick: Pick) {
        if let Some(outcome) = self.outcomes.get(usize::from(pick)) {
            outcome.answered.add_one();
        }
    }

    fn make(&self, resolution: Resolution) -> Document {
        Document::new(
            self.key.as_str(),
            &self.transports,
            &self.public_path,
            resolution,
            self.error_code,
        )
    }

    /// All possible outcomes are prepared; any other would be made again at each call.
    fn find<R>(
        &self,
        resolution: Resolution,
        note: impl FnOnce(&Outcome),
        use_it: impl FnOnce(&Document) -> R,
    ) -> R {
        let make = || self.make(resolution);
        match self.outcomes.iter().find(|outcome| outcome.resolution == resolution) {
            Some(outcome) => {
                note(outcome);
                use_it(outcome.document.get_or_init(make))
            }
            None => use_it(&make()),
        }
    }
}

impl Document {
    /// The answer for `key` while nothing is known yet.
    pub fn cold_start(key: &str, public_path: &PublicPath) -> Document {
        Document::new(key, &Transports::default(), public_path, Resolution::COLD_START, "GENERAL")
    }

    fn new(
        key: &str,
        transports: &Transports,
        public_path: &PublicPath,
        resolution: Resolution,
        error_code: &str,
    ) -> Document {
        let document = StrategyDocument::new(key, transports, public_path, resolution);
        let strategy = to_bytes(&document);
        let etag = etag([&*strategy]);
        let ofrep = to_bytes(&ofrep(&document, resolution, error_code));
        let marks = [PositionStamp::of(&strategy), PositionStamp::of(&ofrep)];
        Document { strategy, etag, ofrep, marks, event: OnceLock::new() }
    }

    pub fn bytes(&self, form: Form) -> &Bytes {
        match form {
            Form::Strategy => &self.strategy,
            Form::Ofrep => &self.ofrep,
        }
    }

    pub fn mark(&self, form: Form) -> PositionStamp {
        self.marks[form as usize]
    }

    /// The stream event of this document; its first user makes it.
    pub fn sse_event(&self, frame: impl FnOnce(&Document) -> Bytes) -> Bytes {
        self.event.get_or_init(|| frame(self)).clone()
    }
}

/// A strong entity tag over the parts of a body, quoted.
pub fn etag<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let mut hash = Sha256::new();
    parts.into_iter().for_each(|part| hash.update(part));
    let hex: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"").into()
}

/// Every resolution that `evaluate` can return for a flag.
fn outcomes(flag: Option<&Flag>, server_auth: ServerAuth) -> Vec<Resolution> {
    let Some(flag) = flag else { return vec![Resolution::ERROR, Resolution::STOPPED_UNKNOWN] };
    let definition = &*flag.definition;
    let outcome = |strategy: Strategy, step, reason| Resolution { strategy, step, reason };
    let targeted = |strategy, step| outcome(strategy, step, Reason::TargetingMatch);
    let mut all = vec![
        outcome(definition.when_stopped.into(), Step::Stop, Reason::Static),
        outcome(definition.when_stopped.into(), Step::Off, Reason::Static),
        Resolution::ERROR,
    ];
    all.extend(definition.deny.iter().map(|entry| targeted(entry.strategy, Step::Deny)));
    all.extend(definition.allow.iter().map(|entry| targeted(entry.strategy, Step::Allow)));
    all.extend(definition.rules.iter().map(|rule| targeted(rule.strategy, Step::Rule)));
    match flag.rollout {
        None => all.push(outcome(definition.default.into(), Step::Default, Reason::Static)),
        Some(split) => match split.single_strategy(definition.default) {
            Some(sole) => all.push(outcome(sole, Step::Rollout, Reason::Static)),
            None => {
                all.push(outcome(definition.default.into(), Step::NoUnit, Reason::Default));
                all.extend(
                    Strategy::ALL.map(|strategy| outcome(strategy, Step::Rollout, Reason::Split)),
                );
            }
        },
    }
    if server_auth == ServerAuth::WithoutHandOff {
        all.push(outcome(Strategy::Polling, Step::ServerAuth, Reason::Static));
    }
    let mut distinct: Vec<Resolution> = Vec::with_capacity(all.len());
    all.into_iter().for_each(|outcome| {
        if !distinct.contains(&outcome) {
            distinct.push(outcome);
        }
    });
    distinct
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StrategyDocument<'a> {
    flag: &'a str,
    strategy: &'static str,
    reason: &'static str,
    rule: &'static str,
    valid_for_ms: u64,
    stale_if_error_ms: u64,
    enter_spread_ms: u64,
    watch: WatchDocument,
    polling: PollingDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    realtime: Option<RealtimeDocument>,
}

/// Where a client learns that this document changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WatchDocument {
    kind: &'static str,
    url: String,
    ack_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PollingDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    start_ms: u64,
    min_ms: u64,
    max_ms: u64,
    factor: f64,
    dedupe_ms: u64,
    limit: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RealtimeDocument {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    token_ttl_ms: u64,
    retry_ms: Vec<u64>,
}

impl<'a> StrategyDocument<'a> {
    fn new(
        flag: &'a str,
        transports: &Transports,
        public_path: &PublicPath,
        resolution: Resolution,
    ) -> StrategyDocument<'a> {
        let Transports { validity, polling, realtime } = transports;
        StrategyDocument {
            flag,
            strategy: resolution.strategy.as_str(),
            reason: resolution.reason.as_str(),
            rule: resolution.step.as_str(),
            valid_for_ms: ms(validity.valid_for),
            stale_if_error_ms: ms(validity.stale_if_error),
            enter_spread_ms: ms(validity.enter_spread),
            watch: WatchDocument {
                kind: "sse",
                url: public_path.address(&format!("/v1/strategy/{flag}/watch")).to_string(),
                ack_url: public_path.address("/v1/watch/ack").to_string(),
            },
            polling: PollingDocument::new(polling, public_path),
            realtime: (resolution.strategy == Strategy::RealtimeV2)
                .then(|| RealtimeDocument::new(realtime, public_path)),
        }
    }
}

impl PollingDocument {
    fn new(polling: &Polling, public_path: &PublicPath) -> PollingDocument {
        PollingDocument {
            url: polling.url.as_ref().map(|url| public_path.address_of_file(url).to_string()),
            start_ms: ms(polling.start),
            min_ms: ms(polling.min),
            max_ms: ms(polling.max),
            factor: f64::from(polling.factor_thousandths) / 1000.0,
            dedupe_ms: ms(polling.dedupe),
            limit: polling.limit,
        }
    }
}

impl RealtimeDocument {
    fn new(realtime: &Realtime, public_path: &PublicPath) -> RealtimeDocument {
        RealtimeDocument {
            kind: realtime.kind.as_str(),
            url: realtime.url.as_ref().map(|url| public_path.address_of_file(url).to_string()),
            token_ttl_ms: ms(realtime.token_ttl),
            retry_ms: realtime.retry.iter().copied().map(ms).collect(),
        }
    }
}

/// The OFREP 0.3 answer: `disabled` is a value like any other, metadata is flat.
fn ofrep(document: &StrategyDocument<'_>, resolution: Resolution, error_code: &str) -> Json {
    let key = document.flag;
    let failure = |code: &str, details: &str| json!({ "key": key, "errorCode": code, "errorDetails": details });
    match resolution.step {
        Step::NoUnit => failure(
            "TARGETING_KEY_MISSING",
            "this flag is rolled out by a key that the context does not have",
        ),
        Step::Error if error_code == "GENERAL" => {
            failure(error_code, "the flag has no usable definition; poll until it has")
        }
        Step::Error => failure(error_code, "an attribute has another type than the flag declares"),
        _ => {
            let document = to_json(document);
            let mut metadata = Map::new();
            for (name, value) in document.as_object().into_iter().flatten() {
                match name.as_str() {
                    "flag" | "strategy" | "reason" => {}
                    name => flatten(name, value, &mut metadata),
                }
            }
            json!({
                "key": key,
                "reason": resolution.reason.as_str(),
                "value": resolution.strategy.as_str(),
                "variant": resolution.strategy.as_str(),
                "metadata": metadata,
            })
        }
    }
}

/// `polling.startMs: 4000`; a list becomes text, as metadata can only contain texts, numbers and
/// booleans.
fn flatten(name: &str, value: &Json, into: &mut Map<String, Json>) {
    match value {
        Json::Object(members) => members
            .iter()
            .for_each(|(member, value)| flatten(&format!("{name}.{member}"), value, into)),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(Json::to_string).collect();
            into.insert(name.to_owned(), items.join(",").into());
        }
        plain => {
            into.insert(name.to_owned(), plain.clone());
        }
    }
}

/// Whole milliseconds; every duration of a definition fits.
fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

// Serialising these types cannot fail: their keys are texts and their numbers finite.
fn to_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn to_json(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}
