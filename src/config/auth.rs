//! Settings about who may ask: what credentials are checked with, whether one is needed, and which
//! pages may ask at all.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::BadSettings;
use crate::auth::{
    Algorithm, AnonymousAccess, EmailProof, ExpectedClaims, ISSUER, Source, TokenKind,
};
use crate::http::Proxies;

/// The longest issuer or audience: a token of more bytes is not read.
const MAX_CLAIM_BYTES: usize = 8 * 1024;

/// As text, from flags or the environment. An empty value counts as not set.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AuthArgs {
    /// Keys that session tokens are checked with: a file (PEM, JWKS, or the secret of HS256) or the
    /// https address of a JWKS
    #[arg(
        long,
        value_name = "FILE|URL",
        env = "TURNOUT_SESSION_KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub session_keys: String,

    /// The one algorithm session tokens are signed with: HS256, RS256, ES256 or EdDSA
    #[arg(
        long,
        value_name = "NAME",
        env = "TURNOUT_SESSION_ALGORITHM",
        default_value = "",
        hide_default_value = true
    )]
    pub session_algorithm: String,

    /// The `iss` every session token carries
    #[arg(
        long,
        value_name = "TEXT",
        env = "TURNOUT_SESSION_ISSUER",
        default_value = "",
        hide_default_value = true
    )]
    pub session_issuer: String,

    /// The `aud` every session token carries
    #[arg(
        long,
        value_name = "TEXT",
        env = "TURNOUT_SESSION_AUDIENCE",
        default_value = "",
        hide_default_value = true
    )]
    pub session_audience: String,

    /// When the `email` of a session token is proved: `assumed`, unless its `email_verified` says
    /// otherwise, or `required`, only if that is `true`
    #[arg(
        long,
        value_name = "assumed|required",
        env = "TURNOUT_SESSION_EMAIL_VERIFIED",
        default_value = "assumed"
    )]
    pub session_email_verified: String,

    /// Keys of servers, which may ask for anyone: lines of a name and the key's SHA-256
    #[arg(
        long,
        value_name = "FILE",
        env = "TURNOUT_SERVER_KEYS_FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub server_keys_file: String,

    /// The private keys that Turnout's own sessions and tokens are signed with, in PEM (P-256): the
    /// first signs; unless said, one is made in the data folder
    #[arg(
        long,
        value_name = "FILE",
        env = "TURNOUT_ISSUER_KEYS_FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub issuer_keys_file: String,

    /// Whether one may ask without a credential; must be said to listen beyond this machine
    #[arg(
        long,
        value_name = "allow|deny",
        env = "TURNOUT_UNVERIFIED",
        default_value = "",
        hide_default_value = true
    )]
    pub unverified: String,

    /// Origins whose pages may ask, comma separated
    #[arg(
        long,
        value_name = "ORIGINS",
        env = "TURNOUT_CORS_ORIGINS",
        default_value = "",
        hide_default_value = true
    )]
    pub cors_origins: String,

    /// Networks of proxies, comma separated, whose X-Forwarded-For says where a request comes from,
    /// for bounds alone
    #[arg(
        long,
        value_name = "NETWORKS",
        env = "TURNOUT_TRUSTED_PROXIES",
        default_value = "",
        hide_default_value = true
    )]
    pub trusted_proxies: String,
}

/// Who may ask.
#[derive(Clone, Debug, Default)]
pub struct AuthConfig {
    pub session_keys: Option<SessionKeys>,
    pub server_keys: Option<Source>,
    /// Where our own keys are, if a person keeps them.
    pub issuer_keys: Option<PathBuf>,
    pub unverified: AnonymousAccess,
    pub cors_origins: Vec<BrowserOrigin>,
    pub trusted_proxies: Proxies,
}

/// Where session keys are, and what each token must carry.
#[derive(Clone, Debug)]
pub struct SessionKeys {
    pub source: Source,
    pub pins: ExpectedClaims,
}

/// An origin as browsers write it: `https://app.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserOrigin(String);

impl AsRef<str> for BrowserOrigin {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AuthArgs {
    /// `listen` is where clients will ask, if that is known.
    pub fn check(&self, listen: Option<SocketAddr>) -> Result<AuthConfig, BadSettings> {
        let mut errors = Vec::new();
        let access = AuthConfig {
            session_keys: self.session_keys(&mut errors),
            server_keys: (!self.server_keys_file.is_empty())
                .then(|| Source::File((&self.server_keys_file).into())),
            issuer_keys: (!self.issuer_keys_file.is_empty())
                .then(|| PathBuf::from(&self.issuer_keys_file)),
            unverified: self.unverified(listen, &mut errors),
            cors_origins: self.cors_origins(&mut errors),
            trusted_proxies: self.trusted_proxies(&mut errors),
        };
        if errors.is_empty() { Ok(access) } else { Err(BadSettings(errors)) }
    }

    /// All four or none: keys without a pinned algorithm, issuer and audience would accept tokens
    /// meant for others.
    fn session_keys(&self, errors: &mut Vec<String>) -> Option<SessionKeys> {
        let settings = [
            ("TURNOUT_SESSION_KEYS", &self.session_keys),
            ("TURNOUT_SESSION_ALGORITHM", &self.session_algorithm),
            ("TURNOUT_SESSION_ISSUER", &self.session_issuer),
            ("TURNOUT_SESSION_AUDIENCE", &self.session_audience),
        ];
        let (set, missing): (Vec<_>, Vec<_>) =
            settings.into_iter().partition(|(_, text)| !text.is_empty());
        let (set, missing) = (names(&set), names(&missing));
        if set.is_empty() {
            return None;
        }
        if !missing.is_empty() {
            errors.push(format!("{set}: session tokens also need {missing}"));
        }
        if self.session_issuer == ISSUER {
            errors.push(format!(
                "TURNOUT_SESSION_ISSUER: `{ISSUER}` is the `iss` of the sessions that Turnout signs itself; the application's tokens need another"
            ));
        }
        for (name, text) in [
            ("TURNOUT_SESSION_ISSUER", &self.session_issuer),
            ("TURNOUT_SESSION_AUDIENCE", &self.session_audience),
        ] {
            if let Some(why) = matches_no_token(text) {
                errors.push(format!("{name}: no token has this value: {why}"));
            }
        }
        let algorithm = (!self.session_algorithm.is_empty())
            .then(|| self.session_algorithm.parse::<Algorithm>());
        let algorithm = algorithm.and_then(|algorithm| match algorithm {
            Ok(algorithm) => Some(algorithm),
            Err(error) => {
                errors.push(format!(
                    "TURNOUT_SESSION_ALGORITHM: `{}`: {error}",
                    self.session_algorithm
                ));
                None
            }
        });
        let email = match &*self.session_email_verified {
            "assumed" => EmailProof::Assumed,
            "required" => EmailProof::Required,
            other => {
                errors.push(format!(
                    "TURNOUT_SESSION_EMAIL_VERIFIED: `{other}` is neither assumed nor required"
                ));
                EmailProof::Required
            }
        };
        let source = Source::parse(&self.session_keys);
        if let Err(error) = source {
            errors.push(format!("TURNOUT_SESSION_KEYS: {error}"));
        }
        let (issuer, audience) = (self.session_issuer.clone(), self.session_audience.clone());
        Some(SessionKeys {
            source: source.ok()?,
            pins: ExpectedClaims {
                algorithm: algorithm?,
                issuer,
                audience,
                email,
                kind: TokenKind::Application,
            },
        })
    }

    fn unverified(&self, listen: Option<SocketAddr>, errors: &mut Vec<String>) -> AnonymousAccess {
        match &*self.unverified {
            "allow" => return AnonymousAccess::Allow,
            "deny" => {}
            "" => match listen {
                Some(address) if !address.ip().is_loopback() => errors.push(format!(
                    "TURNOUT_UNVERIFIED: {address} can be reached from other machines; say whether strangers may ask without a credential: allow or deny"
                )),
                _ => return AnonymousAccess::Allow,
            },
            other => errors.push(format!("TURNOUT_UNVERIFIED: `{other}` is neither allow nor deny")),
        }
        AnonymousAccess::Deny
    }

    fn trusted_proxies(&self, errors: &mut Vec<String>) -> Proxies {
        let texts = self.trusted_proxies.split(',').map(str::trim).filter(|text| !text.is_empty());
        let networks = texts.filter_map(|text| {
            // A network of one address may be written as that address.
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            let message =
                || format!("TURNOUT_TRUSTED_PROXIES: `{text}` is not a network; write it like 10.0.0.0/8 or 2001:db8::/32");
            network.map_err(|_| errors.push(message())).ok()
        });
        Proxies::new(networks.collect())
    }

    fn cors_origins(&self, errors: &mut Vec<String>) -> Vec<BrowserOrigin> {
        let mut origins = Vec::new();
        for text in self.cors_origins.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match origin(text) {
                Ok(origin) => origins.push(origin),
                Err(hint) => errors.push(format!("TURNOUT_CORS_ORIGINS: `{text}`: {hint}")),
            }
        }
        origins
    }
}

/// Why a claim never equals a text. Both are compared byte for byte.
fn matches_no_token(text: &str) -> Option<&'static str> {
    match () {
        () if text.trim() != text => Some("it has blanks at an end; leave them out"),
        () if text.contains(char::is_control) => Some("it has a control character in it"),
        () if text.len() > MAX_CLAIM_BYTES => Some("it is longer than a token may be"),
        () if text.len() > 1 && text.starts_with(['"', '\'']) && text.ends_with(['"', '\'']) => {
            Some("it has quotation marks around it; leave them out")
        }
        () => None,
    }
}

/// Origins are compared byte for byte with what browsers send, so a text that browsers never send
/// is a mistake.
fn origin(text: &str) -> Result<BrowserOrigin, &'static str> {
    let Some((scheme, host)) = text.split_once("://") else {
        return Err(
            "the scheme is missing; origins are listed one by one, like https://app.example.com",
        );
    };
    let default_port = (scheme == "https" && host.ends_with(":443"))
        || (scheme == "http" && host.ends_with(":80"));
    match () {
        _ if host.contains(['/', '?', '#', '@']) => Err("an origin ends after the host and port"),
        _ if text.contains('*') => Err("there are no wildcards; list each origin"),
        _ if default_port => Err("browsers leave out the port of the scheme"),
        _ if host.is_empty()
            || text.bytes().any(|byte| !byte.is_ascii_graphic() || byte.is_ascii_uppercase()) =>
        {
            Err("an origin is lower-case ASCII, like https://app.example.com")
        }
        _ => Ok(BrowserOrigin(text.to_owned())),
    }
}

fn names(settings: &[(&str, &String)]) -> String {
    settings.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
