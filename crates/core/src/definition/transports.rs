//! Reads `transports:` and `client:`: what a client gets besides the strategy's name.

use super::decode::{Decoder, Mapping, list};
use super::finding::Code;
use super::limits::MAX_RETRIES;
use super::schema_model::{DURATION, MapSchema, MinKeys, TEXT, ValueKind, optional};
use super::tree::{Kind, Node};
use super::wanted::Wanted;
use crate::flag::{CachePolicy, Polling, Realtime, RealtimeKind, Transports};
use std::ops::RangeInclusive;
use std::time::Duration;

/// `transports:`.
pub const TRANSPORTS: MapSchema = MapSchema {
    what: "`transports`",
    keys: &[
        optional("polling", ValueKind::Record(&POLLING), "How a client polls."),
        optional("realtime-v2", ValueKind::Record(&REALTIME), "How a client connects in realtime."),
    ],
    least: MinKeys::Nothing,
};
const POLLING: MapSchema = MapSchema {
    what: "the `polling` transport",
    keys: &[
        optional("url", TEXT, "A template, or an address of the application's own."),
        optional("start", DURATION, "The first wait between two polls (4s)."),
        optional("min", DURATION, "The shortest wait (3s)."),
        optional("max", DURATION, "The longest wait (15s)."),
        optional(
            "factor",
            ValueKind::Number(1, 10),
            "By how much an idle client's wait grows (1.5).",
        ),
        optional("dedupe", DURATION, "How far apart two polls of a stream start at least (2s)."),
        optional(
            "limit",
            ValueKind::Whole(1, MAX_EVENTS),
            "Events an answer carries at most (50).",
        ),
        optional("wait", DURATION, "How long a poll may be held until there is something (0s)."),
        optional("retain", DURATION, "How long events of a stream are kept (7d)."),
        optional("keep", ValueKind::Whole(1, MAX_KEEP), "How many events of a stream (10000)."),
    ],
    least: MinKeys::Nothing,
};
const REALTIME: MapSchema = MapSchema {
    what: "the `realtime-v2` transport",
    keys: &[
        optional(
            "kind",
            ValueKind::Words(|| RealtimeKind::ALL.map(RealtimeKind::as_str).to_vec()),
            "The protocol (sse).",
        ),
        optional("url", TEXT, "A template, or an address of the application's own."),
        optional("token_ttl", DURATION, "How long a token lives: 400s to 1h (10m)."),
        optional(
            "retry",
            ValueKind::List(&DURATION, MAX_RETRIES),
            "The waits between attempts to connect, in order.",
        ),
    ],
    least: MinKeys::Nothing,
};
/// `client:`.
pub const CLIENT: MapSchema = MapSchema {
    what: "`client`",
    keys: &[
        optional("valid_for", DURATION, "Ask again after this long (60s)."),
        optional("stale_if_error", DURATION, "Keep the answer this long while asking fails (1d)."),
        optional(
            "enter_spread",
            DURATION,
            "Spread the first poll over this long when realtime is left (5s).",
        ),
    ],
    least: MinKeys::Nothing,
};
/// The largest `limit`: how many events one poll may return.
const MAX_EVENTS: u32 = 1_000;
/// The shortest `min`: a user has 60 answers a minute.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The longest `wait`, and the shortest `retain`.
const MAX_WAIT: Duration = Duration::from_secs(25);
const MIN_RETAIN: Duration = Duration::from_secs(60);
/// How long a token may live: long enough that the next one is fetched in time, and short, as what it
/// was asked with is not asked anew.
const TOKEN_TTL: RangeInclusive<Duration> = Duration::from_secs(400)..=Duration::from_secs(3_600);
/// The largest `keep`.
const MAX_KEEP: u32 = 1_000_000;

pub fn read_transports(
    d: &mut Decoder,
    transports: Option<&Node>,
    client: Option<&Node>,
) -> Transports {
    let record = transports.and_then(|node| d.record(node, &TRANSPORTS));
    let part = |key| record.and_then(|record: Mapping| record.get(key));
    Transports {
        polling: part("polling").and_then(|node| polling(d, node)).unwrap_or_default(),
        realtime: part("realtime-v2").and_then(|node| realtime(d, node)).unwrap_or_default(),
        validity: client.and_then(|node| validity(d, node)).unwrap_or_default(),
    }
}

fn polling(d: &mut Decoder, node: &Node) -> Option<Polling> {
    let record = d.record(node, &POLLING)?;
    let usual = Polling::default();
    let found = d.count();
    let polling = Polling {
        url: record.get("url").and_then(|node| d.text(node, "`url`")),
        start: duration(d, record, "start", usual.start),
        min: duration(d, record, "min", usual.min),
        max: duration(d, record, "max", usual.max),
        factor_thousandths: record
            .get("factor")
            .and_then(|node| factor(d, node))
            .unwrap_or(usual.factor_thousandths),
        dedupe: duration(d, record, "dedupe", usual.dedupe),
        limit: record
            .get("limit")
            .and_then(|node| d.integer(node, "`limit`", 1..=MAX_EVENTS))
            .unwrap_or(usual.limit),
        wait: duration(d, record, "wait", usual.wait),
        retain: duration(d, record, "retain", usual.retain),
        keep: record
            .get("keep")
            .and_then(|node| d.integer(node, "`keep`", 1..=MAX_KEEP))
            .unwrap_or(usual.keep),
    };
    // For an interval that could not be read the default stands here, and nothing is concluded from
    // it.
    let sound = d.count() == found;
    if sound
        && (polling.min < MIN_INTERVAL
            || polling.min > polling.start
            || polling.start > polling.max)
    {
        let hint =
            "`min` is at least 1s, `start` at least `min` and `max` at least `start`".to_owned();
        d.report(
            record.place,
            Code::BadDuration,
            "the polling intervals are out of order",
            Some(hint),
        );
    }
    for (key, is_good, hint) in [
        ("wait", polling.wait <= MAX_WAIT, "`wait` is at most 25s"),
        ("retain", polling.retain >= MIN_RETAIN, "`retain` is at least 1m"),
    ] {
        if let Some(node) = record.get(key).filter(|_| sound && !is_good) {
            let message = format!("`{key}` is out of range");
            d.report(node.place, Code::BadDuration, message, Some(hint.to_owned()));
        }
    }
    Some(polling)
}

fn realtime(d: &mut Decoder, node: &Node) -> Option<Realtime> {
    let record = d.record(node, &REALTIME)?;
    let usual = Realtime::default();
    let found = d.count();
    let token_ttl = duration(d, record, "token_ttl", usual.token_ttl);
    if let Some(node) = record.get("token_ttl").filter(|_| d.count() == found)
        && !TOKEN_TTL.contains(&token_ttl)
    {
        let hint = "a token lives from 400s to 1h".to_owned();
        d.report(node.place, Code::BadDuration, "`token_ttl` is out of range", Some(hint));
    }
    Some(Realtime {
        kind: record.get("kind").and_then(|node| kind(d, node)).unwrap_or(usual.kind),
        url: record.get("url").and_then(|node| d.text(node, "`url`")),
        token_ttl,
        retry: match record.get("retry").map(|node| d.list(node, "`retry`", MAX_RETRIES)) {
            None => usual.retry,
            Some(waits) => waits
                .unwrap_or_default()
                .iter()
                .filter_map(|node| d.duration(node, "a wait"))
                .collect(),
        },
    })
}

fn validity(d: &mut Decoder, node: &Node) -> Option<CachePolicy> {
    let record = d.record(node, &CLIENT)?;
    let usual = CachePolicy::default();
    Some(CachePolicy {
        valid_for: duration(d, record, "valid_for", usual.valid_for),
        stale_if_error: duration(d, record, "stale_if_error", usual.stale_if_error),
        enter_spread: duration(d, record, "enter_spread", usual.enter_spread),
    })
}

fn duration(d: &mut Decoder, record: Mapping, key: &str, usual: Duration) -> Duration {
    record.get(key).and_then(|node| d.duration(node, &format!("`{key}`"))).unwrap_or(usual)
}

fn kind(d: &mut Decoder, node: &Node) -> Option<RealtimeKind> {
    let text = d.scalar(node, "`kind`")?;
    let kind = RealtimeKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    if kind.is_none() {
        let names = list(RealtimeKind::ALL.into_iter().map(RealtimeKind::as_str));
        let hint = match d.similar(text, RealtimeKind::ALL.into_iter().map(RealtimeKind::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write `kind: sse`, or remove it".to_owned(),
        };
        d.report(node.place, Code::BadText, format!("`kind` is one of {names}"), Some(hint));
    }
    kind
}

/// `1.5`, stored in thousandths; from 1 to 10.
fn factor(d: &mut Decoder, node: &Node) -> Option<u32> {
    let Kind::Scalar { text, plain: true } = &node.kind else {
        return d.wrong_type(node, "`factor` is a number", Wanted::Single);
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let thousandths = (digits(whole) && digits(decimals))
        .then(|| format!("{whole}{decimals:0<3}").parse().ok())
        .flatten()
        .filter(|thousandths| (1_000..=10_000).contains(thousandths));
    if thousandths.is_none() {
        d.report(
            node.place,
            Code::BadNumber,
            "`factor` is a number from 1 to 10 with at most three decimals",
            Some("like 1.5, without quotes".into()),
        );
    }
    thousandths
}
