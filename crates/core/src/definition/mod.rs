//! From YAML to definitions. Floor 0: bytes in, definitions and findings out; no disk, no clock.
//!
//! The way of a file: `tree` makes nodes of its bytes, `flag_file` or `segment` makes a checked
//! form of them, and the [`DefinitionSet`] links flags to segments and keeps the last good form of
//! each. It hands out the tests that a new form must pass as work (`test_run`) and takes back their
//! results (`trial`), so that a flag with many tests delays no other.

mod attribute_notes;
mod candidate;
mod condition;
mod decode;
mod definition_set;
mod difference;
mod file_header;
mod files;
mod finding;
mod flag_file;
mod flag_schema;
mod folder_reader;
mod half_written;
pub mod limits;
mod mistyped_line;
mod notes;
mod render;
mod reparse;
mod retired;
mod schema;
mod schema_model;
mod segment;
mod segment_names;
mod source;
mod syntax_help;
mod test_case;
mod test_case_failure;
mod test_case_reader;
mod test_run;
mod test_table;
mod testing;
mod transports;
mod tree;
mod trial;
mod user_id;
mod user_lists;
mod users_file;
mod wanted;
mod written;

pub use attribute_notes::{attribute_notes, type_in_words};
pub use decode::{parse_duration, similar, similar_strategy};
pub use definition_set::{DefinitionSet, Form};
pub use difference::{Changed, FlagChange, FolderDifference, Renamed, SegmentChange};
pub use files::{File, FlagFiles, Subject, Text, parse_internal_user_ids};
pub use finding::{Code, Finding, SourceSpan};
pub use half_written::may_be_half_written;
pub use render::render;
pub use reparse::{parse_flag, parse_segment};
pub use retired::RETIRED_FILE;
pub use schema::{flag_schema, segment_schema};
pub use segment::INTERNAL;
pub use test_case_reader::typed_value;
pub use test_run::TestRun;
pub use testing::Waiting;
pub use trial::Progress;
pub use user_id::bad_id;
pub use users_file::users_file_of;
pub use written::{WrittenFlag, WrittenSegment};
