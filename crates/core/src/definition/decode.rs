//! From nodes to checked values; collects every finding on the way.
//!
//! A [`Decoder`] method returns `None` only after it has reported why, so a file's reader can go on
//! and find the next fault. [`MapSchema`] tables list which keys a map may have.

use std::time::Duration;

use super::finding::{Code, Finding, SourceSpan, quoted};
use super::limits::{MAX_DURATION_DAYS, MAX_FINDINGS, MAX_TEXT_BYTES};
use super::schema_model::{MapSchema, MinKeys};
use super::tree::{Kind, Name, Node};
use super::wanted::Wanted;
use crate::flag::{Baseline, Share, ShareError, Strategy};

/// A map whose keys were checked against its [`MapSchema`].
#[derive(Clone, Copy)]
pub struct Mapping<'n> {
    pub place: SourceSpan,
    pub entries: &'n [(Name, Node)],
}

impl<'n> Mapping<'n> {
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, _)| &*name.text == key).map(|(_, value)| value)
    }

    /// Whether the map has the minimum of keys that its schema requires.
    pub fn says_enough(&self, shape: &MapSchema) -> bool {
        match shape.least {
            MinKeys::Nothing => true,
            MinKeys::AKey => !self.entries.is_empty(),
            MinKeys::OneOf(keys) => keys.iter().any(|key| self.get(key).is_some()),
        }
    }
}

/// Collects the findings of one file.
pub struct Decoder<'a> {
    file: &'a str,
    findings: Vec<Finding>,
}

impl<'a> Decoder<'a> {
    pub fn new(file: &'a str) -> Decoder<'a> {
        Decoder { file, findings: Vec::new() }
    }

    /// The findings, in the order of the file.
    pub fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| finding.place);
        self.findings
    }

    pub fn report(
        &mut self,
        place: SourceSpan,
        code: Code,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        if !self.is_full() {
            let finding =
                Finding { place: Some(place), ..Finding::of_file(self.file, code, message) };
            self.findings.push(match hint {
                Some(hint) => finding.with_hint(hint),
                None => finding,
            });
        }
    }

    /// Whether no more findings will be listed, so that hints are no longer needed.
    fn is_full(&self) -> bool {
        self.findings.len() >= MAX_FINDINGS
    }

    /// How many findings there are so far.
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    /// The candidate that a mistyped word most likely stands for.
    pub fn similar<'c>(
        &self,
        text: &str,
        candidates: impl Iterator<Item = &'c str>,
    ) -> Option<&'c str> {
        if self.is_full() { None } else { similar(text, candidates) }
    }

    /// A map with exactly the keys of a schema.
    pub fn record<'n>(&mut self, node: &'n Node, shape: &MapSchema) -> Option<Mapping<'n>> {
        let record = self.map(node, shape.what)?;
        // A required key that was mistyped is one finding, at what was typed.
        let mut mistyped = Vec::new();
        for (name, _) in record.entries {
            if !shape.names().any(|key| key == &*name.text) {
                let before = |mark: &[char]| name.text.split_once(mark).map(|(key, _)| key);
                let known = |typed| shape.names().find(|key| Some(*key) == typed);
                let (joined, spaced) = (known(before(&[':'])), known(before(&[' ', '='])));
                let meant = joined
                    .or(spaced)
                    .or_else(|| self.similar(before(&['=']).unwrap_or(&name.text), shape.names()));
                mistyped.extend(meant);
                let hint = match meant {
                    Some(key) if joined.is_some() => {
                        format!("did you mean `{key}`? Write a blank after the colon: `{key}: …`")
                    }
                    Some(key) if spaced.is_some() => {
                        format!("did you mean `{key}`? Write a colon after the key: `{key}: …`")
                    }
                    Some(key) => format!("did you mean `{key}`?"),
                    None => format!("{} has the keys {}", shape.what, list(shape.names())),
                };
                self.report(
                    name.place,
                    Code::UnknownKey,
                    format!("unknown key {} in {}", quoted(&name.text), shape.what),
                    Some(hint),
                );
            }
        }
        for key in shape.required() {
            let name = key.name;
            if record.get(name).is_none() && !mistyped.contains(&name) {
                self.report(
                    record.place,
                    Code::MissingKey,
                    format!("{} needs the key `{name}`", shape.what),
                    Some(format!("add `{name}: {}`", key.example)),
                );
            }
        }
        Some(record)
    }

    /// A map with any keys.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<Mapping<'n>> {
        match &node.kind {
            Kind::Map(entries) => {
                Some(Mapping { place: SourceSpan { end: node.place.start, ..node.place }, entries })
            }
            _ => self.wrong_type(node, &format!("{what} is a map (`key: value`)"), Wanted::Map),
        }
    }

    pub fn list<'n>(&mut self, node: &'n Node, what: &str, most: usize) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) if items.len() > most => {
                self.report(
                    node.place,
                    Code::TooMany,
                    format!("{what} has {} entries; it may have {most}", items.len()),
                    Some(format!("keep at most {most} of them")),
                );
                None
            }
            Kind::List(items) => Some(items),
            _ => self.wrong_type(
                node,
                &format!("{what} is a list (`[…]`, or lines that start with `- `)"),
                Wanted::List,
            ),
        }
    }

    /// Any single value, as the text it was written in.
    pub fn scalar<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.kind {
            Kind::Scalar { text, .. } if !node.is_null() => Some(text),
            _ => self.wrong_type(node, &format!("{what} is a single value"), Wanted::Single),
        }
    }

    pub fn wrong_type<T>(&mut self, node: &Node, says: &str, wanted: Wanted) -> Option<T> {
        self.report(
            node.place,
            Code::WrongType,
            format!("{says}, and here is {}", node.describe()),
            Some(wanted.in_the_place_of(node).to_owned()),
        );
        None
    }

    /// Text of any content and a bounded length.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.scalar(node, what)?;
        if text.len() > MAX_TEXT_BYTES {
            self.report(
                node.place,
                Code::BadText,
                format!("{what} has more than {MAX_TEXT_BYTES} bytes"),
                Some(format!("shorten it to {MAX_TEXT_BYTES} bytes")),
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// `true` or `false`, without quotes: no other value is a boolean.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match &node.kind {
            Kind::Scalar { text, plain: true } if &**text == "true" => Some(true),
            Kind::Scalar { text, plain: true } if &**text == "false" => Some(false),
            Kind::Scalar { text, .. } if !node.is_null() => {
                let meant = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => "write `true`",
                    "no" | "off" | "n" | "false" => "write `false`",
                    _ => "write `true` or `false`",
                };
                self.report(
                    node.place,
                    Code::WrongType,
                    format!("{what} is `true` or `false`, without quotes"),
                    Some(meant.into()),
                );
                None
            }
            _ => self.wrong_type(node, &format!("{what} is `true` or `false`"), Wanted::Boolean),
        }
    }

    /// A name of one of the kinds of [`flag::key`](crate::flag).
    pub fn name<T: std::str::FromStr<Err = crate::flag::BadName>>(
        &mut self,
        node: &Node,
        what: &str,
    ) -> Option<T> {
        let text = self.scalar(node, what)?;
        self.parsed_name(text, node.place, what)
    }

    pub fn parsed_name<T: std::str::FromStr<Err = crate::flag::BadName>>(
        &mut self,
        text: &str,
        place: SourceSpan,
        what: &str,
    ) -> Option<T> {
        text.parse()
            .map_err(|bad: crate::flag::BadName| {
                self.report(place, Code::BadName, format!("{what} {bad}"), Some(bad.help().into()));
            })
            .ok()
    }

    pub fn strategy(&mut self, node: &Node, what: &str) -> Option<Strategy> {
        let text = self.scalar(node, what)?;
        let names = || Strategy::ALL.into_iter().map(Strategy::as_str);
        text.parse()
            .map_err(|_| {
                let meant = if self.is_full() { None } else { similar_strategy(text) };
                let hint = meant.map(|name| format!("did you mean `{name}`?"));
                let message = format!("{what} is one of {}", list(names()));
                self.report(node.place, Code::BadStrategy, message, hint);
            })
            .ok()
    }

    /// `polling` or `disabled` (law 9).
    pub fn baseline(&mut self, node: &Node, what: &str) -> Option<Baseline> {
        let text = self.scalar(node, what)?;
        let baseline =
            text.parse::<Strategy>().ok().and_then(|strategy| Baseline::try_from(strategy).ok());
        if baseline.is_none() {
            let hint = if text == Strategy::RealtimeV2.as_str() {
                Some("`realtime-v2` is given by `allow`, `rules` and `rollout` only".to_owned())
            } else {
                let baselines = [Baseline::Polling, Baseline::Disabled]
                    .map(|baseline| Strategy::from(baseline).as_str());
                let meant = self.similar(text, baselines.into_iter());
                Some(meant.map_or_else(
                    || "write `polling` or `disabled`".to_owned(),
                    |name| format!("did you mean `{name}`?"),
                ))
            };
            self.report(
                node.place,
                Code::BadStrategy,
                format!("{what} is `polling` or `disabled`"),
                hint,
            );
        }
        baseline
    }

    pub fn share(&mut self, node: &Node, what: &str) -> Option<Share> {
        let text = self.scalar(node, what)?;
        text.parse()
            .map_err(|error: ShareError| {
                let hint = match error {
                    ShareError::TooPrecise => {
                        Some("leave out what is behind the third decimal".to_owned())
                    }
                    ShareError::OverHundred => Some("write at most 100%".to_owned()),
                    ShareError::NoPercentSign | ShareError::NotANumber => {
                        Share::meant(text).map(|meant| format!("write {meant}"))
                    }
                };
                self.report(node.place, Code::BadShare, format!("{what}: {error}"), hint);
            })
            .ok()
    }

    /// `500ms`, `4s`, `10m`, `2h`, `1d`: a whole number and its unit.
    pub fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let text = self.scalar(node, what)?;
        let duration = parse_duration(text);
        if duration.is_none() {
            let message =
                format!("{what} is a whole number with its unit, at most {MAX_DURATION_DAYS} days");
            let hint = "like 500ms, 4s, 10m, 2h or 1d".to_owned();
            self.report(node.place, Code::BadDuration, message, Some(hint));
        }
        duration
    }

    pub fn integer(
        &mut self,
        node: &Node,
        what: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let text = self.scalar(node, what)?;
        let plain = matches!(node.kind, Kind::Scalar { plain: true, .. });
        let number = text
            .parse()
            .ok()
            .filter(|number| plain && range.contains(number) && !text.starts_with('+'));
        if number.is_none() {
            let message =
                format!("{what} is a whole number from {} to {}", range.start(), range.end());
            let hint = format!("write digits alone, without quotes, like {}", range.start());
            self.report(node.place, Code::BadNumber, message, Some(hint));
        }
        number
    }

    /// A plain decimal number, as an `f64`.
    pub fn number(&mut self, node: &Node, what: &str) -> Option<f64> {
        let text = self.scalar(node, what)?;
        let plain = matches!(node.kind, Kind::Scalar { plain: true, .. });
        let number = decimal(text).filter(|_| plain);
        if number.is_none() {
            let hint = "like 3, -1 or 2.5, without quotes".to_owned();
            self.report(
                node.place,
                Code::BadNumber,
                format!("{what} is a decimal number"),
                Some(hint),
            );
        }
        number
    }
}

/// `-12.5`: digits, perhaps with a sign before and decimals after. Exponents, hex and infinities
/// are refused.
pub fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = digits.split_once('.').map_or((digits, "0"), |parts| parts);
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let number: f64 = (all_digits(whole) && all_digits(decimals)).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

/// `500ms`, `4s`, `10m`, `2h`, `1d`, and at most [`MAX_DURATION_DAYS`].
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let duration = Duration::from_millis(number.checked_mul(milliseconds)?);
    (duration <= Duration::from_secs(MAX_DURATION_DAYS * 86_400)).then_some(duration)
}

/// The candidate that a mistyped word most likely stands for, in capitals or not. A text that is
/// longer than every word stands for none.
pub fn similar<'c>(text: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let small = text.to_ascii_lowercase();
    candidates
        .filter(|candidate| text.len() <= 64 && candidate.len() <= 64)
        .map(|candidate| (strsim::jaro_winkler(&small, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The strategy that a mistyped name most likely stands for.
pub fn similar_strategy(text: &str) -> Option<Strategy> {
    similar(text, Strategy::ALL.into_iter().map(Strategy::as_str))?.parse().ok()
}

/// `` `a`, `b` and `c` ``; the first few of a long list.
pub fn list<'c>(words: impl Iterator<Item = &'c str>) -> String {
    const FEW: usize = 12;
    let mut words = words;
    let first: Vec<&str> = words.by_ref().take(FEW).collect();
    if words.next().is_some() {
        return format!(
            "{} and more",
            first.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        );
    }
    let words = first.into_iter();
    let mut words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} and {last}", words.join(", ")),
        None => String::new(),
    }
}
