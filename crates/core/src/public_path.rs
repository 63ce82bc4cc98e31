//! Where a proxy serves the public listener: the path prefix of every address in an answer. Floor
//! 0.
//!
//! The listener itself serves at `/`, and the proxy removes the prefix; where the proxy cannot, the
//! listener removes it (`http/front.rs`).

use std::fmt;
use std::sync::Arc;

/// The most bytes of a public path.
const MAX_BYTES: usize = 256;

/// A path like `/turnout`; the default is the root.
///
/// ```
/// use turnout_core::public_path::PublicPath;
/// let path: PublicPath = "/turnout".parse().unwrap();
/// assert_eq!(path.address("/v1/strategy").to_string(), "/turnout/v1/strategy");
/// assert_eq!(PublicPath::default().address("/v1/strategy").to_string(), "/v1/strategy");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicPath(
    /// Without a slash at its end, so the root is empty.
    Arc<str>,
);

/// Why a text is not a public path, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPublicPath {
    #[error("write the path alone, like /turnout, without scheme and host")]
    Url,
    #[error("a public path begins with a slash, like /turnout")]
    NoSlash,
    #[error("write it without a slash at its end")]
    SlashAtEnd,
    #[error("it has an empty part, `.` or `..` in it")]
    Dots,
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
    #[error(
        "a public path is made of letters, digits, `-`, `.`, `_`, `~` and slashes; encode what else it has as %XX"
    )]
    Letters,
}

impl PublicPath {
    /// An address of this service as clients reach it.
    pub fn address<'a>(&'a self, path: &'a str) -> impl fmt::Display + 'a {
        Address { before: &self.0, path }
    }

    /// An address from a flag file as clients reach it. Turnout's own begin with `/v1/`; every
    /// other address belongs to the application.
    pub fn address_of_file<'a>(&'a self, address: &'a str) -> impl fmt::Display + 'a {
        Address { before: if address.starts_with("/v1/") { &self.0 } else { "" }, path: address }
    }

    /// The path without this prefix, if it has it.
    pub fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(&*self.0).filter(|rest| rest.starts_with('/'))
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::str::FromStr for PublicPath {
    type Err = BadPublicPath;

    fn from_str(text: &str) -> Result<PublicPath, BadPublicPath> {
        if text == "/" {
            return Ok(PublicPath::default());
        }
        let parts = text.strip_prefix('/').ok_or(if text.contains("://") {
            BadPublicPath::Url
        } else {
            BadPublicPath::NoSlash
        })?;
        match () {
            () if text.len() > MAX_BYTES => Err(BadPublicPath::TooLong),
            () if parts.ends_with('/') => Err(BadPublicPath::SlashAtEnd),
            () if parts.split('/').any(|part| matches!(part, "" | "." | "..")) => {
                Err(BadPublicPath::Dots)
            }
            () if !parts.split('/').all(is_plain) => Err(BadPublicPath::Letters),
            () => Ok(PublicPath(text.into())),
        }
    }
}

impl fmt::Display for PublicPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "/" } else { &self.0 })
    }
}

struct Address<'a> {
    before: &'a str,
    path: &'a str,
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.before)?;
        f.write_str(self.path)
    }
}

/// Whether a part of a path consists of unreserved characters and encoded bytes (RFC 3986 §2).
fn is_plain(part: &str) -> bool {
    let mut pieces = part.split('%');
    let unreserved = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    let encoded = |text: &str| {
        let digits =
            text.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits && unreserved(&text[2..])
    };
    pieces.next().is_some_and(unreserved) && pieces.all(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_path_is_read_strictly() {
        for (text, read) in [
            ("/", Ok("/")),
            ("/turnout", Ok("/turnout")),
            ("/a/b-c_d.e~1", Ok("/a/b-c_d.e~1")),
            ("/caf%C3%A9", Ok("/caf%C3%A9")),
            ("", Err(BadPublicPath::NoSlash)),
            ("turnout", Err(BadPublicPath::NoSlash)),
            ("https://example.com/turnout", Err(BadPublicPath::Url)),
            ("/turnout/", Err(BadPublicPath::SlashAtEnd)),
            ("//", Err(BadPublicPath::SlashAtEnd)),
            ("//turnout", Err(BadPublicPath::Dots)),
            ("/a//b", Err(BadPublicPath::Dots)),
            ("/a/../b", Err(BadPublicPath::Dots)),
            ("/.", Err(BadPublicPath::Dots)),
            ("/a b", Err(BadPublicPath::Letters)),
            ("/a?b", Err(BadPublicPath::Letters)),
            ("/a#b", Err(BadPublicPath::Letters)),
            ("/a\"b", Err(BadPublicPath::Letters)),
            ("/a%2", Err(BadPublicPath::Letters)),
            ("/a%zz", Err(BadPublicPath::Letters)),
            ("/é", Err(BadPublicPath::Letters)),
            ("/%é", Err(BadPublicPath::Letters)),
            ("/a\u{202e}b", Err(BadPublicPath::Letters)),
        ] {
            let path = text.parse::<PublicPath>().map(|path| path.to_string());
            assert_eq!(path, read.map(str::to_owned), "{text}");
        }
        assert_eq!(
            format!("/{}", "a".repeat(MAX_BYTES)).parse::<PublicPath>(),
            Err(BadPublicPath::TooLong)
        );
    }

    #[test]
    fn it_stands_before_our_own_addresses_alone() -> Result<(), BadPublicPath> {
        let path: PublicPath = "/turnout".parse()?;
        for (address, reached) in [
            ("/v1/feeds/build-events/{stream}", "/turnout/v1/feeds/build-events/{stream}"),
            ("/api/feed", "/api/feed"),
            ("/v10/feed", "/v10/feed"),
            ("https://example.com/v1/feed", "https://example.com/v1/feed"),
            ("v1/feed", "v1/feed"),
        ] {
            assert_eq!(path.address_of_file(address).to_string(), reached);
            assert_eq!(PublicPath::default().address_of_file(address).to_string(), address);
        }
        for (asked, behind) in [
            ("/turnout/v1/x", Some("/v1/x")),
            ("/turnout", None),
            ("/turnoutx/v1", None),
            ("/v1/x", None),
            ("/turnout/", Some("/")),
        ] {
            assert_eq!(path.strip(asked), behind, "{asked}");
        }
        Ok(())
    }
}
