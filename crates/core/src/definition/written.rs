//! The last good form of a subject beside the text that it was read from.

use std::sync::Arc;

use super::files::{File, Text};
use super::source::{Source, TrackedSource};
use crate::flag::{Definition, Segment};

/// A flag as its file says.
#[derive(Clone, Copy, Debug)]
pub struct WrittenFlag<'a> {
    pub form: &'a Arc<Definition>,
    pub text: &'a Text,
}

/// A segment as its file and `INTERNAL_USER_IDS` say.
#[derive(Clone, Copy)]
pub struct WrittenSegment<'a> {
    pub form: &'a Arc<Segment>,
    pub file: Option<&'a Text>,
    /// With the list's path inside the folder.
    pub users_file: Option<(&'a str, &'a Text)>,
    pub internal_user_ids: &'a [String],
}

pub fn written_flag<Candidate>(
    tracked: &TrackedSource<Candidate, Definition>,
) -> Option<WrittenFlag<'_>> {
    let text = tracked.good_source.file.as_ref().and_then(File::text);
    tracked.good.as_ref().zip(text).map(|(form, text)| WrittenFlag { form, text })
}

pub fn written_segment(tracked: &TrackedSource<(), Segment>) -> Option<WrittenSegment<'_>> {
    let Source { file, users_file, internal_user_ids, is_retired: _ } = &tracked.good_source;
    let users_file =
        users_file.as_ref().and_then(|(path, file)| Some((&**path, file.as_ref()?.text()?)));
    let file = file.as_ref().and_then(File::text);
    tracked.good.as_ref().map(|form| WrittenSegment { form, file, users_file, internal_user_ids })
}
