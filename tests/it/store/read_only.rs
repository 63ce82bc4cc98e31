//! A database that this user may read and not write to: SQLite opens it without a word.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::announced;
use crate::support::typed::{output, turnout};

/// Another user than root, who may write to everything.
const ANOTHER: u32 = 65_534;

/// A server over a folder, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            let below = if path.is_dir() { files_below(&path) } else { Vec::new() };
            below.into_iter().chain([path])
        })
        .collect()
}

fn start(home: &Path, is_root: bool) -> Running {
    announced::forget(&home.join("data"));
    let log = File::create(home.join("log")).unwrap();
    let mut command = Command::new(home.join("turnout"));
    command.env_clear().args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.arg("--flags").arg(home.join("flags")).arg("--data").arg(home.join("data"));
    if is_root {
        command.uid(ANOTHER).gid(ANOTHER);
    }
    let mut child = command.stderr(log).spawn().unwrap();
    let said = || fs::read_to_string(home.join("log")).unwrap();
    announced::wait(&home.join("data"), &mut child, said);
    Running(child)
}

#[test]
fn a_database_that_may_only_be_read_is_a_problem_from_the_start_until_it_may_be_written_to() {
    let home = TempDir::new().unwrap();
    let is_root = fs::metadata(home.path()).unwrap().uid() == 0;
    let program = env!("CARGO_BIN_EXE_turnout");
    // Its own folder may be closed to the other user.
    fs::copy(program, home.path().join("turnout")).unwrap();
    for folder in ["flags", "data"] {
        fs::create_dir(home.path().join(folder)).unwrap();
    }
    let chat = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n";
    fs::write(home.path().join("flags/chat.yaml"), chat).unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    if is_root {
        files_below(home.path()).iter().for_each(|path| chown(path, Some(ANOTHER), None).unwrap());
    }
    drop(start(home.path(), is_root));
    let data = home.path().join("data");
    let of_database = || {
        let named = |path: &PathBuf| path.to_string_lossy().contains("turnout.db");
        files_below(&data).into_iter().filter(named).collect::<Vec<_>>()
    };
    for path in of_database() {
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        if is_root {
            chown(&path, Some(0), Some(0)).unwrap();
        }
    }
    let _running = start(home.path(), is_root);
    let problems = || output(turnout().args(["problems"]).env("TURNOUT_DATA", &data));
    let (_, stdout, stderr) = problems();
    assert!(stdout.contains("may only be read"), "{stdout}{stderr}");
    // Stops work all the while.
    let stop = output(turnout().args(["stop", "chat"]).env("TURNOUT_DATA", &data));
    assert_eq!(stop.0, 0, "{stop:?}");
    for path in of_database() {
        if is_root {
            chown(&path, Some(ANOTHER), Some(ANOTHER)).unwrap();
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    let begun = Instant::now();
    while problems().0 != 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", problems());
        std::thread::sleep(Duration::from_millis(50));
    }
}
