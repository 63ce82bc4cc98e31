//! Which addresses may be configured: a host name, over https. An IP address is refused in any
//! spelling; where a name leads is checked when it is connected to.

use std::fmt;

use reqwest::Url;

/// How far out a webhook may reach. This is not a setting: a service reaches public addresses only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPolicy {
    Public,
    /// For tests, whose receivers are on this machine.
    Anywhere,
}

/// Where revisions are posted to. Its path and query are never shown: some services keep a secret
/// there.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    reach: AddressPolicy,
}

/// Why a text is not an address to post to. The text is not repeated, as it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    #[error("this is not an address; write one like https://hooks.example.com/turnout")]
    NoUrl,
    #[error(
        "what is sent over anything but https could be read and altered on its way; write https://…"
    )]
    NotHttps,
    #[error("an address to post to holds no user and no password; what is sent is signed")]
    Credentials,
    #[error("an address to post to has no `#`")]
    Fragment,
    #[error("write the receiver's name, not an IP address")]
    NoName,
    #[error("this is the name of the machine itself; a webhook goes to a public address")]
    ThisMachine,
}

impl Target {
    pub fn parse(text: &str, reach: AddressPolicy) -> Result<Target, BadTarget> {
        let url = Url::parse(text).map_err(|_| BadTarget::NoUrl)?;
        let target = Target { url, reach };
        match reach {
            AddressPolicy::Public => target.check().map(|()| target),
            AddressPolicy::Anywhere => Ok(target),
        }
    }

    fn check(&self) -> Result<(), BadTarget> {
        let url = &self.url;
        // `Url` has already recognised every spelling of an IP address that a connection would
        // understand.
        let name = url.domain().map(|name| name.trim_end_matches('.'));
        match name {
            _ if url.scheme() != "https" => Err(BadTarget::NotHttps),
            _ if !url.username().is_empty() || url.password().is_some() => {
                Err(BadTarget::Credentials)
            }
            _ if url.fragment().is_some() => Err(BadTarget::Fragment),
            None | Some("") => Err(BadTarget::NoName),
            Some(name) if name == "localhost" || name.ends_with(".localhost") => {
                Err(BadTarget::ThisMachine)
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn reach(&self) -> AddressPolicy {
        self.reach
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url.origin().ascii_serialization())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self}, {:?})", self.reach)
    }
}
