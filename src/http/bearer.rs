//! How a credential stands in the headers of a request: the one rule of both listeners.

use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

use crate::auth::InvalidCredential;

pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credential of `Authorization: Bearer <credential>`, if the header is there. It stands there
/// once, after one blank, and has no blank and no comma in it; the scheme is in any case, as RFC
/// 9110 §11.1 has it.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, InvalidCredential> {
    let Some(authorization) = only(headers, &AUTHORIZATION)? else { return Ok(None) };
    let text = visible(authorization.as_bytes()).ok_or(InvalidCredential)?;
    let (scheme, credential) = text.split_once(' ').ok_or(InvalidCredential)?;
    let is_cut = has(credential.as_bytes(), |byte| byte == b' ' || byte == b',');
    let is_whole = !credential.is_empty() && !is_cut;
    if scheme.eq_ignore_ascii_case("bearer") && is_whole {
        Ok(Some(credential))
    } else {
        Err(InvalidCredential)
    }
}

/// The text of a value that is visible ASCII and blanks alone.
fn visible(value: &[u8]) -> Option<&str> {
    if has(value, |byte| !(b' '..=b'~').contains(&byte)) {
        None
    } else {
        std::str::from_utf8(value).ok()
    }
}

/// Whether a byte is such. All are looked at, without a way out at the first: so the compiler takes
/// many of them at a time.
fn has(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(0, |any, byte| any | u8::from(is_such(*byte))) != 0
}

/// The header's only value; two values count as one that cannot be understood.
pub fn only<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, InvalidCredential> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    if headers.get_all(name).iter().nth(1).is_some() {
        Err(InvalidCredential)
    } else {
        Ok(Some(value))
    }
}

#[allow(clippy::unwrap_used)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_stands_there_once_and_whole() {
        for (lines, credential) in [
            (&[][..], Ok(None)),
            (&["Bearer abc"], Ok(Some("abc"))),
            (&["bEARER abc"], Ok(Some("abc"))),
            (&["Bearer  abc"], Err(InvalidCredential)),
            (&["Bearer abc "], Err(InvalidCredential)),
            (&["Bearer abc def"], Err(InvalidCredential)),
            (&["Bearer abc,def"], Err(InvalidCredential)),
            (&["Bearer abc\tdef"], Err(InvalidCredential)),
            (&["Bearer\tabc"], Err(InvalidCredential)),
            (&["Bearer ab\u{e9}"], Err(InvalidCredential)),
            (&["Bearer "], Err(InvalidCredential)),
            (&["Bearer"], Err(InvalidCredential)),
            (&["Basic abc"], Err(InvalidCredential)),
            (&["Bearer abc", "Bearer abc"], Err(InvalidCredential)),
        ] {
            let mut headers = HeaderMap::new();
            lines.iter().for_each(|line| {
                headers.append(AUTHORIZATION, line.parse().unwrap());
            });
            assert_eq!(bearer(&headers), credential, "{lines:?}");
        }
    }
}
