//! From YAML to definitions. Floor 0: bytes in, definitions and findings out; no disk, no clock.
//!
//! A file's way: `tree` makes nodes of its bytes, `flag_file` or `segment` makes a checked form of them, and the [`Library`]
//! links flags to segments and keeps the last good form of each. What tests a new form must pass it gives out as work (`test_run`) and takes
//! back what came of it (`trial`), so that a flag with many tests holds up no other.

mod condition;
mod contents;
mod decode;
mod difference;
mod finding;
mod flag_file;
mod flag_shape;
mod half_written;
mod library;
pub mod limits;
mod render;
mod schema;
mod segment;
mod shape;
mod slot;
mod stored;
mod table;
mod test_case;
mod test_run;
mod testing;
mod transports;
mod tree;
mod trial;

pub use contents::{Contents, File, Subject, Text, parse_internal_user_ids};
pub use decode::{parse_duration, similar};
pub use difference::{Changed, FlagChange, FolderDifference, SegmentChange};
pub use finding::{Code, Finding, Place};
pub use half_written::may_be_half_written;
pub use library::{Form, Library, WrittenFlag, WrittenSegment};
pub use render::render;
pub use schema::{flag_schema, segment_schema};
pub use segment::{INTERNAL, users_file_of};
pub use stored::{parse_flag, parse_segment};
pub use test_case::typed_value;
pub use test_run::TestRun;
pub use testing::Waiting;
pub use trial::Progress;
