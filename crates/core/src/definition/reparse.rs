//! Parses recorded definitions again. They were good when they were recorded; one that this build
//! cannot read is reported.

use std::sync::Arc;

use super::files::{File, FlagFiles, Text};
use super::finding::Finding;
use super::flag_file::read_flag;
use super::segment::{internal_segment, read_segment};
use crate::flag::{Definition, FlagKey, Segment, SegmentKey};

/// Parses a flag's recorded text. Its tests are not run again: they ran with other segments, and
/// nothing may refuse what was in force.
pub fn parse_flag(key: &FlagKey, text: &[u8]) -> Result<Arc<Definition>, Vec<Finding>> {
    read_flag(&format!("{key}.yaml"), key.as_str(), text).0.map(|read| read.definition)
}

/// Parses a segment's recorded parts: its file, the list it names (by the path in the file), and
/// the ids added to it.
pub fn parse_segment(
    key: &SegmentKey,
    file: Option<&[u8]>,
    users_file: Option<(&str, Text)>,
    internal_user_ids: Vec<String>,
) -> Result<Arc<Segment>, Vec<Finding>> {
    let files =
        users_file.map(|(path, text)| (path.to_owned(), File::Text(text))).into_iter().collect();
    let contents = FlagFiles { files, internal_user_ids, ..FlagFiles::default() };
    let segment = match file {
        Some(text) => read_segment(&format!("segments/{key}.yaml"), key.as_str(), text, &contents)?,
        None => internal_segment(key.clone(), &contents),
    };
    Ok(Arc::new(segment))
}
