//! What differs between two definitions of a flag, or two forms of a segment, in meaning: comments,
//! the order of keys and repeated entries make no difference. Ids are counted and never named.

use super::diff_builder::{DiffBuilder, Difference};
use super::diff_lists::{entries, rules};
use super::display::{attribute_type, duration};
use super::model::Definition;
use super::segment::Segment;
use super::transport::{CachePolicy, Polling, Realtime, Transports};

/// The differences of a flag, in the order of its file.
pub fn differences(old: &Definition, new: &Definition) -> Vec<Difference> {
    // Taken apart in full, so that a new part of a definition cannot be forgotten here.
    let Definition {
        key: _,
        description,
        owner,
        salt,
        enabled,
        when_stopped,
        default,
        bucket_by,
        attributes,
        deny,
        allow,
        rules: old_rules,
        rollout,
        transports,
        segments: _,
    } = old;
    let mut found = DiffBuilder::default();
    found.one("description", description.clone(), new.description.clone());
    found.one("owner", owner.clone(), new.owner.clone());
    found.one("salt", Some(salt.as_str().to_owned()), Some(new.salt.as_str().to_owned()));
    found.one("enabled", Some(enabled.to_string()), Some(new.enabled.to_string()));
    let baseline = |baseline| Some(super::strategy::Strategy::from(baseline).to_string());
    found.one("when_stopped", baseline(*when_stopped), baseline(new.when_stopped));
    found.one("default", baseline(*default), baseline(new.default));
    let name = |name: &Option<super::key::AttributeName>| name.as_ref().map(ToString::to_string);
    found.one("bucket_by", name(bucket_by), name(&new.bucket_by));
    let mut declared: Vec<&str> =
        attributes.iter().chain(&new.attributes).map(|(name, _)| name.as_str()).collect();
    declared.sort_unstable();
    declared.dedup();
    for attribute in declared {
        let kind = |definition: &Definition| {
            let kind = definition.attributes.iter().find(|(name, _)| name.as_str() == attribute);
            kind.map(|(_, kind)| attribute_type(kind))
        };
        found.one(&format!("attributes.{attribute}"), kind(old), kind(new));
    }
    entries(&mut found, "deny", (deny, &old.segments), (&new.deny, &new.segments));
    entries(&mut found, "allow", (allow, &old.segments), (&new.allow, &new.segments));
    rules(&mut found, (old_rules, &old.segments), (&new.rules, &new.segments));
    let share = |share: fn(super::rollout::Split) -> super::share::Share| {
        move |split: &Option<super::rollout::Split>| split.map(|split| share(split).to_string())
    };
    let (realtime, disabled) = (share(|split| split.realtime()), share(|split| split.disabled()));
    found.one("rollout.realtime-v2", realtime(rollout), realtime(&new.rollout));
    found.one("rollout.disabled", disabled(rollout), disabled(&new.rollout));
    diff_transports(&mut found, transports, &new.transports);
    found.finish()
}

/// The differences of a segment.
pub fn segment_differences(old: &Segment, new: &Segment) -> Vec<Difference> {
    let mut found = DiffBuilder::default();
    found.members("", &old.members, &new.members);
    found.finish()
}

/// The settings that a client gets.
fn diff_transports(found: &mut DiffBuilder, old: &Transports, new: &Transports) {
    let Transports { validity, polling, realtime } = old;
    let Polling { url, start, min, max, factor_thousandths, dedupe, limit, wait, retain, keep } =
        polling;
    let thousandths = |thousandths: u32| Some((f64::from(thousandths) / 1000.0).to_string());
    let mut one =
        |what: &str, before: Option<String>, after: Option<String>| found.one(what, before, after);
    one("transports.polling.url", url.clone(), new.polling.url.clone());
    one("transports.polling.start", Some(duration(*start)), Some(duration(new.polling.start)));
    one("transports.polling.min", Some(duration(*min)), Some(duration(new.polling.min)));
    one("transports.polling.max", Some(duration(*max)), Some(duration(new.polling.max)));
    one(
        "transports.polling.factor",
        thousandths(*factor_thousandths),
        thousandths(new.polling.factor_thousandths),
    );
    one("transports.polling.dedupe", Some(duration(*dedupe)), Some(duration(new.polling.dedupe)));
    one("transports.polling.limit", Some(limit.to_string()), Some(new.polling.limit.to_string()));
    one("transports.polling.wait", Some(duration(*wait)), Some(duration(new.polling.wait)));
    one("transports.polling.retain", Some(duration(*retain)), Some(duration(new.polling.retain)));
    one("transports.polling.keep", Some(keep.to_string()), Some(new.polling.keep.to_string()));
    let Realtime { kind, url, token_ttl, retry } = realtime;
    let waits = |waits: &[std::time::Duration]| {
        Some(waits.iter().copied().map(duration).collect::<Vec<_>>().join(" "))
    };
    one(
        "transports.realtime-v2.kind",
        Some(kind.as_str().to_owned()),
        Some(new.realtime.kind.as_str().to_owned()),
    );
    one("transports.realtime-v2.url", url.clone(), new.realtime.url.clone());
    one(
        "transports.realtime-v2.token_ttl",
        Some(duration(*token_ttl)),
        Some(duration(new.realtime.token_ttl)),
    );
    one("transports.realtime-v2.retry", waits(retry), waits(&new.realtime.retry));
    let CachePolicy { valid_for, stale_if_error, enter_spread } = validity;
    one("client.valid_for", Some(duration(*valid_for)), Some(duration(new.validity.valid_for)));
    one(
        "client.stale_if_error",
        Some(duration(*stale_if_error)),
        Some(duration(new.validity.stale_if_error)),
    );
    one(
        "client.enter_spread",
        Some(duration(*enter_spread)),
        Some(duration(new.validity.enter_spread)),
    );
}
