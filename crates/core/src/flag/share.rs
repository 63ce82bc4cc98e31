//! A share of the buckets, stored exactly.
//!
//! Shares are parsed from decimal text into integer thousandths of a per cent. No float is ever
//! used, and a share that cannot be stored exactly is refused rather than rounded (law 3).

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The number of buckets, and so the largest share in thousandths of a per cent.
pub const BUCKETS: u32 = 100_000;

/// An integer number of thousandths of a per cent, `0..=100000`.
///
/// ```
/// use turnout_core::flag::Share;
/// let share: Share = "12.5%".parse().unwrap();
/// assert_eq!(share.millipercent(), 12_500);
/// assert_eq!(share.to_string(), "12.5%");
/// assert!("12.5001%".parse::<Share>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    pub const NONE: Share = Share(0);
    pub const ALL: Share = Share(BUCKETS);

    /// `None` above 100 % (`100000`).
    pub const fn from_millipercent(millipercent: u32) -> Option<Share> {
        if millipercent <= BUCKETS { Some(Share(millipercent)) } else { None }
    }

    /// This share minus the other, at least 0.
    pub const fn without(self, other: Share) -> Share {
        Share(self.0.saturating_sub(other.0))
    }

    /// The share from 0 to 1, for display only; no decision uses it.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / f64::from(BUCKETS)
    }

    /// What may have been meant by a text that is not a share: `10%` by `10`, `0.5%` by `.5%`, and
    /// one of two by `0.25`.
    ///
    /// ```
    /// use turnout_core::flag::Share;
    /// assert_eq!(Share::meant("0.25").as_deref(), Some("0.25%, or 25%"));
    /// assert_eq!(Share::meant("much"), None);
    /// ```
    pub fn meant(text: &str) -> Option<String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let whole = if number.starts_with('.') { format!("0{number}") } else { number.to_owned() };
        let share: Share = format!("{whole}%").parse().ok()?;
        let is_fraction = !text.ends_with('%') && share.0 > 0 && share.0 < 1_000;
        Some(match Share::from_millipercent(share.0 * 100).filter(|_| is_fraction) {
            Some(hundredfold) => format!("{share}, or {hundredfold}"),
            None => share.to_string(),
        })
    }

    /// Thousandths of a per cent, `0..=100000`.
    pub const fn millipercent(self) -> u32 {
        self.0
    }
}

/// Why a text is not a share.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    #[error("a share is written with a per cent sign")]
    NoPercentSign,
    #[error("a share has at most three decimals; it is never rounded")]
    TooPrecise,
    #[error("a share is at most 100%")]
    OverHundred,
    #[error("a share is a plain decimal number with a per cent sign, like 12.5%")]
    NotANumber,
}

impl std::str::FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Share, ShareError> {
        let Some(number) = text.strip_suffix('%') else {
            return Err(if is_decimal(text) {
                ShareError::NoPercentSign
            } else {
                ShareError::NotANumber
            });
        };
        if !is_decimal(number) {
            return Err(ShareError::NotANumber);
        }
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        if decimals.len() > 3 {
            return Err(ShareError::TooPrecise);
        }
        if whole.len() > 3 {
            return Err(ShareError::OverHundred);
        }
        let digits = |text: &str| text.bytes().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
        let scale = [1000, 100, 10, 1][decimals.len()];
        let millipercent = digits(whole) * 1000 + digits(decimals) * scale;
        Share::from_millipercent(millipercent).ok_or(ShareError::OverHundred)
    }
}

/// `0`, `7`, `12.5`: digits without a leading zero, then perhaps a point and digits.
fn is_decimal(text: &str) -> bool {
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    all_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && decimals.is_none_or(all_digits)
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.0 / 1000, self.0 % 1000) {
            (whole, 0) => format!("{whole}%"),
            (whole, rest) => format!("{whole}.{}%", format!("{rest:03}").trim_end_matches('0')),
        };
        f.pad(&text)
    }
}

/// As text, `12.5%`: the one form shares have everywhere.
impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
