//! What tokens are for, and how one kind is told from another.

/// The `iss` of our own tokens.
pub const ISSUER: &str = "turnout";

/// What a token is for. None is accepted as another (RFC 8725 §3.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// The application's own: a session, or an access token.
    #[default]
    Application,
    /// A session that was minted here.
    Session,
    /// A token for streams that was minted here.
    Realtime,
}

impl TokenKind {
    /// The `aud` of a token of our own.
    pub fn audience(self) -> &'static str {
        match self {
            TokenKind::Application => "",
            TokenKind::Session => "turnout-session",
            TokenKind::Realtime => "turnout-realtime",
        }
    }

    /// The `typ` of its header.
    pub fn header(self) -> &'static str {
        match self {
            TokenKind::Application => "JWT",
            TokenKind::Session => "turnout-session+jwt",
            TokenKind::Realtime => "turnout-realtime+jwt",
        }
    }

    /// Whether a header with this `typ` is of this kind. A logout token or a proof of possession
    /// speaks for no user, also where the same key signed it.
    pub fn accepts(self, header: Option<&str>) -> bool {
        const APPLICATION: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];
        match self {
            TokenKind::Application => {
                header.is_none_or(|kind| APPLICATION.contains(&&*kind.to_ascii_lowercase()))
            }
            TokenKind::Session | TokenKind::Realtime => header == Some(self.header()),
        }
    }
}
