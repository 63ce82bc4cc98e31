//! Opens a file that others choose, and never waits for the other end of a pipe or for a device:
//! only regular files are read, and no more bytes than are asked for. Floor 2.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// To open a pipe without it waits until someone opens its other end.
const WITHOUT_WAITING: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// Opens a file for reading.
pub fn open(path: &Path) -> io::Result<File> {
    // To open a device can already set it in motion, so it is looked at first; what stands at a
    // path may change meanwhile, so twice.
    check(&fs::metadata(path)?)?;
    let file = OpenOptions::new().read(true).custom_flags(WITHOUT_WAITING).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Opens a file that only this program should write, and makes it where there is none; with these
/// options and without waiting.
pub fn open_own(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(WITHOUT_WAITING).mode(0o600).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// The content of a file: `None` if it has more bytes than `most`.
pub fn read(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
}

fn check(found: &fs::Metadata) -> io::Result<()> {
    match found.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    }
}
