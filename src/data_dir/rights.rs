//! Who may get at the data folder. Every answer comes from it, so a user who may put files into it
//! decides the answers.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// All users but the owner.
const OTHERS: u32 = 0o077;
/// All users but owner and group: a group may be given on purpose, as Kubernetes does with
/// `fsGroup`.
const STRANGERS_WRITE: u32 = 0o002;
/// In a folder with this, files are their owners' alone.
const STICKY: u32 = 0o1000;

/// Takes the folder's rights from all users but its owner, where that is this user: another program
/// may have made it. Says what is left to be said where it is another user's.
pub fn keep_to_owner(path: &Path) -> io::Result<Option<String>> {
    let metadata = fs::metadata(path)?;
    let mode = metadata.mode();
    if metadata.uid() == rustix::process::geteuid().as_raw() {
        if mode & OTHERS != 0 {
            fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS & 0o7777))?;
        }
        return Ok(None);
    }
    let may_write = mode & STRANGERS_WRITE != 0 && mode & STICKY == 0;
    Ok(may_write
        .then(|| format!("every user of this machine may put files into {}", path.display())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_another_program_made_becomes_its_owners_alone() {
        let place = tempfile::TempDir::new().unwrap();
        let home = place.path().to_owned();
        for (mode, left) in
            [(0o777, 0o700), (0o755, 0o700), (0o2770, 0o2700), (0o700, 0o700), (0o500, 0o500)]
        {
            fs::set_permissions(&home, Permissions::from_mode(mode)).unwrap();
            assert_eq!(keep_to_owner(&home).unwrap(), None);
            assert_eq!(fs::metadata(&home).unwrap().mode() & 0o7777, left, "{mode:o}");
        }
    }
}
