//! One check of the disk at a time: it may hang.

use std::io;

use crate::data_dir::DiskSpace;
use crate::time_limit::OneAtATime;

/// The room there is, and what is wrong with the rights of the folder.
pub(super) type DiskCheck = OneAtATime<(io::Result<DiskSpace>, io::Result<Option<String>>)>;
