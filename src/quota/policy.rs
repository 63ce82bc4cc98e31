//! The one table of limits.

/// The length of the window in which answers are counted, in milliseconds.
pub const WINDOW_MS: u64 = 60_000;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Answers to polls.
    Feed,
    /// Tokens for realtime.
    Token,
    /// Reports of clients.
    Reports,
    /// Openings of realtime streams.
    Realtime,
}

/// A limit, and the most users who are counted at once.
struct Row {
    name: &'static str,
    answers: u8,
    users: usize,
}

impl Policy {
    pub const ALL: [Policy; 4] = [Policy::Feed, Policy::Token, Policy::Reports, Policy::Realtime];

    const fn row(self) -> Row {
        match self {
            Policy::Feed => Row { name: "feed", answers: 60, users: 1 << 18 },
            Policy::Token => Row { name: "token", answers: 10, users: 1 << 17 },
            Policy::Reports => Row { name: "reports", answers: 10, users: 1 << 17 },
            Policy::Realtime => Row { name: "realtime", answers: 20, users: 1 << 17 },
        }
    }

    /// Its name, as clients and metrics know it.
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// How many answers a user gets in any window.
    pub const fn answers(self) -> u8 {
        self.row().answers
    }

    /// How many users are counted at once; over it, the least used count is forgotten.
    pub const fn users(self) -> usize {
        self.row().users
    }
}
