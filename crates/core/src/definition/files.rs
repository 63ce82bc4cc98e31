//! The content of a flags folder at one moment, as data, so that reading it can be tested without a
//! disk.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The files that matter, by their path inside the folder, with `/` between its parts.
#[derive(Clone, Default, PartialEq)]
pub struct FlagFiles {
    pub files: BTreeMap<String, File>,
    /// `INTERNAL_USER_IDS`, read with the files.
    pub internal_user_ids: Vec<String>,
    /// Why the folder itself could not be read; then `files` says nothing.
    pub unreadable: Option<String>,
    /// The subfolders that could not be read, and why. For each, `files` has what was last read
    /// there.
    pub unreadable_folders: BTreeMap<String, String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub enum File {
    Text(Text),
    /// Larger than a file of its kind may be, so it was not read.
    TooLarge {
        bytes: u64,
    },
    Unreadable {
        why: String,
    },
}

impl File {
    /// The file's text, if it could be read.
    pub fn text(&self) -> Option<&Text> {
        match self {
            File::Text(text) => Some(text),
            File::TooLarge { .. } | File::Unreadable { .. } => None,
        }
    }
}

/// A file's bytes, identified by their hash: content is compared, never a time stamp.
#[derive(Clone)]
pub struct Text {
    pub bytes: Bytes,
    pub digest: [u8; 32],
}

impl Text {
    pub fn new(bytes: impl Into<Bytes>) -> Text {
        let bytes = bytes.into();
        Text { digest: Sha256::digest(&bytes).into(), bytes }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.digest == other.digest
    }
}

/// Prints counts, never content: files contain user ids.
impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.bytes.len())
    }
}

/// Prints file names and the number of ids: the ids themselves are personal.
impl std::fmt::Debug for FlagFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self.internal_user_ids.len();
        write!(
            f,
            "FlagFiles({:?}, {ids} internal ids, unreadable: {:?})",
            self.files, self.unreadable
        )
    }
}

impl FlagFiles {
    /// A folder with exactly these files.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> FlagFiles {
        let file =
            |(path, text): (&str, &str)| (path.to_owned(), File::Text(Text::new(text.to_owned())));
        FlagFiles { files: files.into_iter().map(file).collect(), ..FlagFiles::default() }
    }

    /// The subject of a path; `None` for a file that Turnout does not read.
    pub fn subject(path: &str) -> Option<Subject<'_>> {
        let stem = |name: &'_ str| name.strip_suffix(".yaml").map(str::len);
        match path.split_once('/') {
            None => stem(path).map(|length| Subject::Flag(&path[..length])),
            Some(("segments", name)) if !name.contains('/') => {
                stem(name).map(|length| Subject::Segment(&name[..length]))
            }
            Some(("tests", name)) if !name.contains('/') => {
                stem(name).map(|length| Subject::Tests(&name[..length]))
            }
            Some(_) => None,
        }
    }

    /// The text of a file, if it could be read.
    pub fn text(&self, path: &str) -> Option<&Text> {
        self.files.get(path)?.text()
    }
}

/// What a file is about. The stem of its name is not yet known to be a valid key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject<'a> {
    Flag(&'a str),
    Segment(&'a str),
    /// A table of tests.
    Tests(&'a str),
}

/// `INTERNAL_USER_IDS`: comma separated; blanks around an id are dropped.
pub fn parse_internal_user_ids(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
}
