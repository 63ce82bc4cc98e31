//! Compares two lists of a flag: entries, which have no names and are reported by their position,
//! and rules, which are reported by their names.

use super::condition::Condition;
use super::diff_builder::DiffBuilder;
use super::display::{Addresses, condition, names};
use super::key::SegmentKey;
use super::model::{Entry, Rule};
use super::segment::Members;

/// A list and the segments its indices mean.
type Listed<'a, T> = (&'a [T], &'a [SegmentKey]);

/// Entries of `deny` or `allow`. Equal entries at both ends are left out; the rest is compared
/// position by position.
pub fn entries(
    found: &mut DiffBuilder,
    list: &str,
    (old, old_segments): Listed<Entry>,
    (new, new_segments): Listed<Entry>,
) {
    let alike = |(old, new): &(&Entry, &Entry)| same(old, old_segments, new, new_segments);
    let first = old.iter().zip(new).take_while(alike).count();
    let last = old[first..].iter().rev().zip(new[first..].iter().rev()).take_while(alike).count();
    let (old, new) = (&old[first..old.len() - last], &new[first..new.len() - last]);
    for index in 0..old.len().max(new.len()) {
        let at = format!("{list} {}", first + index + 1);
        match (old.get(index), new.get(index)) {
            (Some(old), Some(new)) => entry(found, &at, (old, old_segments), (new, new_segments)),
            (old, new) => {
                found.one(
                    &at,
                    old.map(|entry| entry_in_words(entry, old_segments)),
                    new.map(|entry| entry_in_words(entry, new_segments)),
                );
            }
        }
    }
}

/// Rules by name, and their order.
pub fn rules(
    found: &mut DiffBuilder,
    (old, old_segments): Listed<Rule>,
    (new, new_segments): Listed<Rule>,
) {
    let find = |rules: &[Rule], name: &Rule| rules.iter().position(|rule| rule.name == name.name);
    let shown = |rule: &Rule, index: usize, segments: &[SegmentKey]| {
        Some(format!(
            "number {}: {} serves {}",
            index + 1,
            condition(&rule.when, segments, Addresses::Counted),
            rule.strategy
        ))
    };
    for (index, rule) in old.iter().enumerate() {
        let at = format!("rule {}", rule.name);
        match find(new, rule).and_then(|index| new.get(index)) {
            None => found.one(&at, shown(rule, index, old_segments), None),
            Some(other) => {
                let (before, after) =
                    (Some((&rule.when, old_segments)), Some((&other.when, new_segments)));
                when(found, &format!("{at} when"), before, after);
                found.one(
                    &format!("{at} strategy"),
                    Some(rule.strategy.to_string()),
                    Some(other.strategy.to_string()),
                );
            }
        }
    }
    for (index, rule) in new.iter().enumerate().filter(|(_, rule)| find(old, rule).is_none()) {
        found.one(&format!("rule {}", rule.name), None, shown(rule, index, new_segments));
    }
    let order = |rules: &[Rule], others: &[Rule]| {
        let both = rules.iter().filter(|rule| find(others, rule).is_some());
        Some(both.map(|rule| rule.name.to_string()).collect::<Vec<_>>().join(", "))
    };
    found.one("order of rules", order(old, new), order(new, old));
}

fn entry(
    found: &mut DiffBuilder,
    at: &str,
    (old, old_segments): (&Entry, &[SegmentKey]),
    (new, new_segments): (&Entry, &[SegmentKey]),
) {
    let no_members = Members::default();
    // An empty list matches no user; a missing list matches every user that `when` fits.
    let whom = |entry: &Entry| {
        Some(if entry.who.is_some() { "those it lists" } else { "everybody" }.to_owned())
    };
    found.one(&format!("{at} is for"), whom(old), whom(new));
    let before = old.who.as_ref().map_or(&no_members, |who| &who.members);
    let after = new.who.as_ref().map_or(&no_members, |who| &who.members);
    found.members(&format!("{at} "), before, after);
    found.one(&format!("{at} segment"), named(old, old_segments), named(new, new_segments));
    let before = old.when.as_ref().map(|when| (when, old_segments));
    let after = new.when.as_ref().map(|when| (when, new_segments));
    when(found, &format!("{at} when"), before, after);
    found.one(
        &format!("{at} strategy"),
        Some(old.strategy.to_string()),
        Some(new.strategy.to_string()),
    );
}

/// Conditions are compared with their addresses, and shown without them.
fn when(
    found: &mut DiffBuilder,
    at: &str,
    old: Option<(&Condition, &[SegmentKey])>,
    new: Option<(&Condition, &[SegmentKey])>,
) {
    let text = |when: Option<(&Condition, &[SegmentKey])>, addresses| {
        when.map(|(when, segments)| condition(when, segments, addresses))
    };
    if text(old, Addresses::Written) != text(new, Addresses::Written) {
        let (before, after) = (text(old, Addresses::Counted), text(new, Addresses::Counted));
        let others = if before == after { " (other addresses)" } else { "" };
        found.one(at, before, after.map(|after| format!("{after}{others}")));
    }
}

fn same(
    old: &Entry,
    old_segments: &[SegmentKey],
    new: &Entry,
    new_segments: &[SegmentKey],
) -> bool {
    let lists_are_equal = match (&old.who, &new.who) {
        (Some(old), Some(new)) => old.members == new.members,
        (old, new) => old.is_none() && new.is_none(),
    };
    let when = |entry: &Entry, segments: &[SegmentKey]| {
        entry.when.as_ref().map(|when| condition(when, segments, Addresses::Written))
    };
    lists_are_equal
        && named(old, old_segments) == named(new, new_segments)
        && when(old, old_segments) == when(new, new_segments)
        && old.strategy == new.strategy
}

/// The segments an entry names.
fn named(entry: &Entry, segments: &[SegmentKey]) -> Option<String> {
    let who = entry.who.as_ref().filter(|who| !who.segments.is_empty())?;
    Some(names(who.segments.iter().filter_map(|index| segments.get(*index))))
}

/// `2 users, segment in [beta], when plan in ["team"] serves realtime-v2`.
fn entry_in_words(entry: &Entry, segments: &[SegmentKey]) -> String {
    let mut parts = Vec::new();
    if let Some(who) = &entry.who {
        let Members { users, emails, domains } = &who.members;
        let lists = [(users, "users"), (emails, "emails"), (domains, "domains")];
        parts.extend(
            lists
                .iter()
                .filter(|(set, _)| !set.is_empty())
                .map(|(set, what)| format!("{} {what}", set.len())),
        );
        parts.extend(named(entry, segments).map(|names| format!("segment in {names}")));
        if parts.is_empty() {
            parts.push("no users".to_owned());
        }
    }
    parts.extend(
        entry
            .when
            .as_ref()
            .map(|when| format!("when {}", condition(when, segments, Addresses::Counted))),
    );
    format!("{} serves {}", parts.join(", "), entry.strategy)
}
