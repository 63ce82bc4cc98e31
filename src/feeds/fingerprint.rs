//! Whether two events say the same: a fingerprint of the type and of the data as JSON values.
//!
//! The order of an object's members, blanks and escapes do not count; numbers are compared by their
//! decimal digits, so that none loses any.

use std::borrow::Cow;

use super::limits::MAX_DATA_DEPTH;
use crate::ledger::ContentHash;

/// The first half of a SHA-256.
pub type Fingerprint = [u8; 16];

/// Of a type and of JSON that was checked; `None` where the JSON is nested too deeply.
pub fn fingerprint(kind: &str, data: &str) -> Option<Fingerprint> {
    let mut canonical = Vec::with_capacity(kind.len() + 1 + data.len());
    canonical.extend_from_slice(kind.as_bytes());
    canonical.push(0);
    let mut scanner = Scanner { text: data.as_bytes(), at: 0 };
    scanner.value(&mut canonical, MAX_DATA_DEPTH)?;
    let mut half = [0; 16];
    half.copy_from_slice(&ContentHash::of(&canonical).bytes()[..16]);
    Some(half)
}

/// Goes over JSON that is known to be well formed.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn next_byte(&mut self) -> u8 {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or_default()
    }

    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        match self.next_byte() {
            b'{' => self.object(out, depth.checked_sub(1)?),
            b'[' => self.list(out, depth.checked_sub(1)?),
            b'"' => {
                let text = self.string();
                out.push(b'"');
                prefixed(out, text.as_bytes());
                Some(())
            }
            _ => {
                let word = self.literal();
                number(word, out);
                Some(())
            }
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.at += 1;
        let mut members: Vec<(Cow<'a, str>, Vec<u8>)> = Vec::new();
        while !matches!(self.next_byte(), b'}' | 0) {
            if self.next_byte() == b',' {
                self.at += 1;
                self.next_byte();
            }
            let name = self.string();
            self.next_byte();
            self.at += 1;
            let mut value = Vec::new();
            self.value(&mut value, depth)?;
            members.push((name, value));
        }
        self.at += 1;
        // A name that stands twice keeps both places, one after the other.
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        out.push(b'{');
        for (name, value) in members {
            prefixed(out, name.as_bytes());
            prefixed(out, &value);
        }
        out.push(b'}');
        Some(())
    }

    fn list(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.at += 1;
        out.push(b'[');
        while !matches!(self.next_byte(), b']' | 0) {
            if self.next_byte() == b',' {
                self.at += 1;
            }
            self.value(out, depth)?;
        }
        self.at += 1;
        out.push(b']');
        Some(())
    }

    /// The decoded text of a string. Half of a surrogate pair is valid JSON and no text: such a
    /// string counts as it was written.
    fn string(&mut self) -> Cow<'a, str> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        let written = self.text.get(start..self.at).unwrap_or_default();
        match serde_json::from_slice::<String>(written) {
            Ok(text) => Cow::Owned(text),
            Err(_) => String::from_utf8_lossy(written),
        }
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self) -> &'a [u8] {
        let start = self.at;
        let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
        while self.text.get(self.at).is_some_and(|byte| !ends(byte)) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }
}

fn prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A number as its sign, its digits without outer zeros, and the power of ten of the last one.
/// Other words stay as they are.
fn number(word: &[u8], out: &mut Vec<u8>) {
    let (negative, rest) = match word.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        out.extend_from_slice(word);
        out.push(b';');
        return;
    }
    let mantissa_end =
        rest.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(rest.len());
    let (mantissa, exponent) = rest.split_at(mantissa_end);
    let decimals = mantissa.iter().position(|byte| *byte == b'.');
    // What the digits alone add to the exponent: at most their count.
    let mut shift = -decimals.map_or(0, |at| (mantissa.len() - at - 1) as i128);
    let mut digits: Vec<u8> = mantissa.iter().copied().filter(u8::is_ascii_digit).collect();
    while digits.last() == Some(&b'0') {
        digits.pop();
        shift += 1;
    }
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.drain(..leading);
    if digits.is_empty() {
        out.extend_from_slice(b"0;");
        return;
    }
    out.push(if negative { b'-' } else { b'+' });
    out.extend_from_slice(&digits);
    match Exponent::of(exponent) {
        Exponent::Short(exponent) => {
            out.push(b'e');
            out.extend_from_slice((exponent + shift).to_string().as_bytes());
        }
        Exponent::Long { is_negative, digits } => {
            out.extend_from_slice(if is_negative { b"E-" } else { b"E+" });
            out.extend_from_slice(digits);
            out.push(b' ');
            out.extend_from_slice(shift.to_string().as_bytes());
        }
    }
    out.push(b';');
}

/// So many digits of an exponent are calculated with.
const MAX_EXPONENT_DIGITS: usize = 30;

/// The exponent of a number.
enum Exponent<'a> {
    Short(i128),
    /// Without leading zeros. Nothing is added to it: two ways of writing such a number are two
    /// numbers.
    Long {
        is_negative: bool,
        digits: &'a [u8],
    },
}

impl Exponent<'_> {
    /// Of what follows the mantissa: nothing, or `e` and a number with or without a sign.
    fn of(written: &[u8]) -> Exponent<'_> {
        let signed = written.get(1..).unwrap_or_default();
        let is_negative = signed.first() == Some(&b'-');
        let digits = signed.strip_prefix(b"-").or(signed.strip_prefix(b"+")).unwrap_or(signed);
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let digits = digits.get(zeros..).unwrap_or_default();
        if digits.len() > MAX_EXPONENT_DIGITS {
            return Exponent::Long { is_negative, digits };
        }
        let add = |sum: i128, digit: &u8| sum * 10 + i128::from(digit.saturating_sub(b'0'));
        let size = digits.iter().fold(0, add);
        Exponent::Short(if is_negative { -size } else { size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_fingerprint() {
        for (one, other, same) in [
            ("{\"a\":1,\"b\":[2,3]}", " { \"b\" : [ 2 , 3 ] , \"a\" : 1 } ", true),
            ("1", "1.0", true),
            ("1", "10e-1", true),
            ("100", "1E+2", true),
            ("0", "-0.00", true),
            ("0.1", "0.10", true),
            ("18446744073709551617", "18446744073709551618", false),
            ("1e400", "1e401", false),
            ("1e+00002", "100", true),
            ("0e99999999999999999999999999999999999999999", "0", true),
            (
                "1e9999999999999999999999999999999999999999",
                "1e-9999999999999999999999999999999999999999",
                false,
            ),
            (
                "1e9999999999999999999999999999999999999999",
                "1e9999999999999999999999999999999999999998",
                false,
            ),
            (
                "1e9999999999999999999999999999999999999999",
                "1E+09999999999999999999999999999999999999999",
                true,
            ),
            (
                "1e9999999999999999999999999999999999999999",
                "10e9999999999999999999999999999999999999999",
                false,
            ),
            ("10e170141183460469231731687303715884105727", "1", false),
            ("0.1e-170141183460469231731687303715884105728", "1", false),
            ("1e99999999999999999999", "1e9223372036854775807", false),
            ("-1", "1", false),
            ("\"\\u0061\"", "\"a\"", true),
            ("\"1\"", "1", false),
            ("\"\\\\\"", "\"\\\"\"", false),
            ("null", "false", false),
            ("[1,2]", "[12]", false),
            ("[[1],2]", "[1,[2]]", false),
            ("[]", "{}", false),
            ("[\"a\",\"b\"]", "[\"a\\\",\\\"b\"]", false),
            ("{\"a\":{\"b\":1}}", "{\"a\":{},\"b\":1}", false),
            ("{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}", false),
            ("\"\\ud800\"", "\"\\ud800\"", true),
            ("\"\\ud800\"", "\"\\ud801\"", false),
        ] {
            let equal = fingerprint("t", one) == fingerprint("t", other);
            assert_eq!(equal, same, "{one} and {other}");
        }
        assert_ne!(fingerprint("t", "1"), fingerprint("u", "1"), "the type counts");
    }

    #[test]
    fn a_deep_value_is_refused_and_not_followed() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(fingerprint("t", &nested(MAX_DATA_DEPTH)).is_some());
        assert!(fingerprint("t", &nested(MAX_DATA_DEPTH + 1)).is_none());
        assert!(fingerprint("t", &nested(16_000)).is_none());
    }
}
