//! What is wrong with a file, where, and how to mend it.
//!
//! A finding is data: the command line draws it with its source, the server logs it as one line. Its message never quotes an
//! entry of an id list: user ids are personal.

use std::sync::Arc;

/// A spot in a file: 1-based line and column (in characters), and the bytes it covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: u32,
    pub column: u32,
    pub start: u32,
    pub end: u32,
}

/// One thing wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    /// The file's path inside the flags folder.
    pub file: Arc<str>,
    pub place: Option<Place>,
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Finding {
    pub fn of_file(file: &str, code: Code, message: impl Into<String>) -> Finding {
        Finding { code, file: file.into(), place: None, message: message.into(), hint: None }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = Some(hint.into());
        self
    }
}

impl Finding {
    /// One line for a log: no source, as its lines may hold user ids. `shown` turns a path inside the folder into the one to print.
    pub fn line(&self, shown: impl Fn(&str) -> String) -> String {
        let place = match (&*self.file, self.place) {
            ("", _) => String::new(),
            (file, Some(place)) => format!("{}:{}:{}: ", shown(file), place.line, place.column),
            (file, None) => format!("{}: ", shown(file)),
        };
        let hint = self.hint.as_ref().map(|hint| format!(" (help: {hint})")).unwrap_or_default();
        format!("{place}error[{}]: {}{hint}", self.code.as_str(), self.message)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal,)*) => {
        /// The stable code of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $code,)* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$code,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$code => $text,)* }
            }
        }
    };
}

codes! {
    /// The folder cannot be read.
    FolderMissing = "folder-missing",
    UnreadableFile = "unreadable-file",
    /// A live flag's or segment's file is gone; the last good one stays live.
    VanishedFile = "vanished-file",
    BadFileName = "bad-file-name",
    TooLarge = "too-large",
    NotUtf8 = "not-utf8",
    Binary = "binary",
    Empty = "empty",
    Syntax = "syntax",
    SeveralDocuments = "several-documents",
    /// Anchors, aliases and merge keys.
    Alias = "alias",
    Tag = "tag",
    DuplicateKey = "duplicate-key",
    TooDeep = "too-deep",
    TooMany = "too-many",
    UnknownKey = "unknown-key",
    MissingKey = "missing-key",
    WrongType = "wrong-type",
    UnsupportedVersion = "unsupported-version",
    NotYet = "not-yet",
    NameMismatch = "name-mismatch",
    BadName = "bad-name",
    DuplicateName = "duplicate-name",
    BadStrategy = "bad-strategy",
    BadShare = "bad-share",
    BadDuration = "bad-duration",
    BadNumber = "bad-number",
    BadVersion = "bad-version",
    BadText = "bad-text",
    BadId = "bad-id",
    BadAddress = "bad-address",
    EmptyEntry = "empty-entry",
    UnknownAttribute = "unknown-attribute",
    UnknownWord = "unknown-word",
    WrongComparison = "wrong-comparison",
    UnknownSegment = "unknown-segment",
    UsersFile = "users-file",
    BadCase = "bad-case",
    FailedTest = "failed-test",
    SelfTest = "self-test",
}
