//! Opens a file that others choose, and never waits for the other end of a pipe or for a device:
//! only regular files are read, and only up to a given number of bytes. Floor 2.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Without this flag, opening a pipe waits until another process opens its other end.
const WITHOUT_WAITING: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// Opens a file for reading. A link that leads nowhere is not an absent file: what it led to may be
/// on a disk that is missing now.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a device can already set it in motion, so the type is checked before. The file may be
    // replaced meanwhile, so it is checked again after.
    check(&fs::metadata(path).map_err(|error| unless_linked(path, error))?)?;
    let file = OpenOptions::new().read(true).custom_flags(WITHOUT_WAITING).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Opens a file that only this program should write, with these options and without waiting; makes
/// it if there is none.
pub fn open_own(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(WITHOUT_WAITING).mode(0o600).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Makes a file that only this program should write, for its owner alone, in the place of whatever
/// has the name. A link there is removed and not followed: what it leads to may be the database.
pub fn make_own(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Not through a link that was put there meanwhile either: a new file is never opened by one.
    OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(path)
}

/// The content of a file; `None` if it has more than `most` bytes.
pub fn read(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
}

fn unless_linked(path: &Path, error: io::Error) -> io::Error {
    let is_link = error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_ok();
    if is_link { io::Error::other("it is a link that leads nowhere") } else { error }
}

fn check(found: &fs::Metadata) -> io::Result<()> {
    if found.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
}
