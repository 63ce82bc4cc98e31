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
    let written = exponent.get(1..).map(|text| String::from_utf8_lossy(text).into_owned());
    // An exponent beyond this range belongs to a number that no reader distinguishes.
    let mut power: i128 = written.map_or(0, |text| text.parse().unwrap_or(i128::from(i64::MAX)));
    let decimals = mantissa.iter().position(|byte| *byte == b'.');
    power -= decimals.map_or(0, |at| (mantissa.len() - at - 1) as i128);
    let mut digits: Vec<u8> = mantissa.iter().copied().filter(u8::is_ascii_digit).collect();
    while digits.last() == Some(&b'0') {
        digits.pop();
        power += 1;
    }
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.drain(..leading);
    if digits.is_empty() {
        out.extend_from_slice(b"0;");
        return;
    }
    out.push(if negative { b'-' } else { b'+' });
    out.extend_from_slice(&digits);
    out.push(b'e');
    out.extend_from_slice(power.to_string().as_bytes());
    out.push(b';');
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
