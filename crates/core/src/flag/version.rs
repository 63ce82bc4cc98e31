//! Dotted versions, compared as `docs/EVALUATION.md` says.
//!
//! A version is kept as the text it was written in. A comparison walks both texts, so nothing is
//! allocated and numbers of any length compare correctly.

use std::cmp::Ordering;

/// The longest version that is read, in bytes.
pub const MAX_VERSION_BYTES: usize = 128;

/// A readable version: `2.10`, `2.10.1.7`, `3.0.0-beta.2`, `3.0+build.9`.
///
/// ```
/// use turnout_core::flag::Version;
/// assert!(Version::new("2.9").unwrap() < Version::new("2.10").unwrap());
/// assert!(Version::new("3.0-rc.1").unwrap() < Version::new("3").unwrap());
/// assert!(Version::new("v3").is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    numbers: &'a str,
    pre_release: Option<&'a str>,
}

impl<'a> Version<'a> {
    /// `None` if the text is not a version.
    pub fn new(text: &'a str) -> Option<Version<'a>> {
        if text.len() > MAX_VERSION_BYTES {
            return None;
        }
        let (rest, build) = split_off(text, '+');
        let (numbers, pre_release) = split_off(rest, '-');
        let word = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let words = |text: Option<&str>| text.is_none_or(|text| text.split('.').all(word));
        (numbers.split('.').all(is_number) && words(pre_release) && words(build))
            .then_some(Version { numbers, pre_release })
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version<'_> {}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut mine, mut theirs) = (self.numbers.split('.'), other.numbers.split('.'));
        loop {
            let order = match (mine.next(), theirs.next()) {
                (None, None) => return compare_pre_releases(self.pre_release, other.pre_release),
                (a, b) => compare_numbers(a.unwrap_or("0"), b.unwrap_or("0")),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
    }
}

fn compare_pre_releases(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => {
            a.split('.').map(PreReleasePart).cmp(b.split('.').map(PreReleasePart))
        }
    }
}

/// Parts of digits are numbers and come before all other parts, which compare by bytes.
struct PreReleasePart<'a>(&'a str);

impl Ord for PreReleasePart<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (is_number(self.0), is_number(other.0)) {
            (true, true) => compare_numbers(self.0, other.0),
            (false, false) => self.0.cmp(other.0),
            (mine, theirs) => theirs.cmp(&mine),
        }
    }
}

impl PartialOrd for PreReleasePart<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PreReleasePart<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for PreReleasePart<'_> {}

/// Digit strings as numbers of any size: without leading zeros, the longer is the larger.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn split_off(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}
