//! Every way a folder changes under a service, again and again: the newest content always goes
//! live, nothing is reloaded while nothing changes, and a storm of saves coalesces.
//!
//! `TURNOUT_ROUNDS=1000 cargo test --release --test it files::reload_ways::` is the long form;
//! `scripts/reload.sh` runs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Save, flag, rounds};
use tempfile::TempDir;
use turnout::definition::{FlagFiles, Text};
use turnout::flag_files::FlagsDir;
use turnout::flag_files::Watch;

/// Distinct content for each round; no round removes anything.
fn content(round: usize) -> String {
    flag("chat", &format!("description: round {round}"))
}

struct Watched {
    home: TempDir,
    watch: Watch,
    delivered: Receiver<FlagFiles>,
}

impl Watched {
    /// Watches `flags` below a new home that `prepare` has set up.
    fn over(prepare: impl FnOnce(&Path)) -> Watched {
        let home = TempDir::new().unwrap();
        prepare(home.path());
        let mut folder = FlagsDir::new(home.path().join("flags"), Vec::new());
        let first = folder.read();
        let (deliver, delivered) = channel();
        let watch =
            Watch::start(folder, first, move |contents| drop(deliver.send(contents))).unwrap();
        Watched { home, watch, delivered }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Waits until the file's known content is `text`, and returns how long that took.
    fn reach(&self, text: &str) -> Duration {
        let start = Instant::now();
        let wanted = Text::new(text.to_owned());
        loop {
            let left =
                PATIENCE.checked_sub(start.elapsed()).expect("the newest content never came");
            let contents =
                self.delivered.recv_timeout(left).expect("the newest content never came");
            if contents.text("chat.yaml") == Some(&wanted) {
                return start.elapsed();
            }
        }
    }

    /// How many changes are delivered while nothing changes, for longer than the interval of
    /// readings.
    fn idle_deliveries(&self) -> usize {
        let mut count = 0;
        loop {
            match self.delivered.recv_timeout(Duration::from_secs(3)) {
                Ok(_) => count += 1,
                Err(RecvTimeoutError::Timeout) => return count,
                Err(RecvTimeoutError::Disconnected) => panic!("the watch ended"),
            }
        }
    }
}

fn furnish_plain(home: &Path) {
    fs::create_dir_all(home.join("flags/segments")).unwrap();
    fs::write(home.join("flags/chat.yaml"), content(0)).unwrap();
}

/// One way of changing a folder, many times; the slowest round is printed for measurements.
fn check(way: &str, furnish: fn(&Path), change: impl Fn(&Watched, usize, &str)) {
    let watched = Watched::over(furnish);
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds() {
        let text = content(round);
        change(&watched, round, &text);
        slowest = slowest.max(watched.reach(&text));
    }
    let extra = watched.idle_deliveries();
    assert!(extra == 0, "{way}: {extra} reloads while nothing changed");
    println!(
        "{way}: {} rounds, watch by {}, slowest {} ms",
        rounds(),
        if watched.watch.mode().is_polling() { "polling" } else { "events" },
        slowest.as_millis()
    );
}

#[test]
fn saves_of_a_file() {
    for way in Save::ALL {
        check(&format!("{way:?}"), furnish_plain, |watched, _, text| {
            way.save(&watched.path("flags/chat.yaml"), text);
        });
    }
}

/// Kubernetes: files are links through `..data`, which is swapped as a whole.
#[test]
fn a_configmap_swap() {
    fn version(home: &Path, round: usize, text: &str) {
        let folder = home.join(format!("flags/..{round}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("chat.yaml"), text).unwrap();
        symlink(format!("..{round}"), home.join("flags/..data_tmp")).unwrap();
        fs::rename(home.join("flags/..data_tmp"), home.join("flags/..data")).unwrap();
    }
    let furnish = |home: &Path| {
        fs::create_dir_all(home.join("flags")).unwrap();
        version(home, 0, &content(0));
        symlink("..data/chat.yaml", home.join("flags/chat.yaml")).unwrap();
    };
    check("ConfigMap swap", furnish, |watched, round, text| {
        version(watched.home.path(), round, text);
        fs::remove_dir_all(watched.path(&format!("flags/..{}", round - 1))).unwrap();
    });
}

#[test]
fn a_link_to_a_file_that_is_moved() {
    let furnish = |home: &Path| {
        fs::create_dir_all(home.join("flags")).unwrap();
        fs::create_dir_all(home.join("elsewhere")).unwrap();
        fs::write(home.join("elsewhere/0.yaml"), content(0)).unwrap();
        symlink(home.join("elsewhere/0.yaml"), home.join("flags/chat.yaml")).unwrap();
    };
    check("a file's link moved", furnish, |watched, round, text| {
        let target = watched.path(&format!("elsewhere/{round}.yaml"));
        fs::write(&target, text).unwrap();
        symlink(&target, watched.path("flags/new.link")).unwrap();
        fs::rename(watched.path("flags/new.link"), watched.path("flags/chat.yaml")).unwrap();
    });
    check("a link's target rewritten", furnish, |watched, _, text| {
        Save::Rename.save(&watched.path("elsewhere/0.yaml"), text);
    });
}

#[test]
fn a_link_to_the_folder_that_is_moved() {
    let furnish = |home: &Path| {
        fs::create_dir_all(home.join("0")).unwrap();
        fs::write(home.join("0/chat.yaml"), content(0)).unwrap();
        symlink(home.join("0"), home.join("flags")).unwrap();
    };
    check("the folder's link moved", furnish, |watched, round, text| {
        let target = watched.path(&format!("{round}"));
        fs::create_dir(&target).unwrap();
        fs::write(target.join("chat.yaml"), text).unwrap();
        symlink(&target, watched.path("new.link")).unwrap();
        fs::rename(watched.path("new.link"), watched.path("flags")).unwrap();
        fs::remove_dir_all(watched.path(&format!("{}", round - 1))).unwrap();
    });
}

#[test]
fn the_folder_replaced() {
    check("the folder replaced", furnish_plain, |watched, _, text| {
        fs::create_dir_all(watched.path("new/segments")).unwrap();
        fs::write(watched.path("new/chat.yaml"), text).unwrap();
        fs::rename(watched.path("flags"), watched.path("old")).unwrap();
        fs::rename(watched.path("new"), watched.path("flags")).unwrap();
        fs::remove_dir_all(watched.path("old")).unwrap();
    });
    check("the folder deleted and made again", furnish_plain, |watched, _, text| {
        fs::remove_dir_all(watched.path("flags")).unwrap();
        fs::create_dir_all(watched.path("flags/segments")).unwrap();
        fs::write(watched.path("flags/chat.yaml"), text).unwrap();
    });
}

#[test]
fn a_storm_of_saves_coalesces() {
    let watched = Watched::over(furnish_plain);
    let start = Instant::now();
    let mut saves = 0;
    while start.elapsed() < Duration::from_secs(3) {
        saves += 1;
        Save::Rename.save(&watched.path("flags/chat.yaml"), &content(saves));
        std::thread::sleep(Duration::from_millis(if saves % 50 == 0 { 30 } else { 2 }));
    }
    let during = watched.delivered.try_iter().count();
    // A save on a busy disk may make the storm longer.
    let seconds = start.elapsed().as_secs() as usize;
    assert!(during <= 5 * (seconds + 1), "{during} reloads in {seconds} s");
    // Whatever the storm left unread, the newest content arrives.
    Save::Rename.save(&watched.path("flags/chat.yaml"), &content(saves + 1));
    watched.reach(&content(saves + 1));
    println!("a storm: {saves} saves in {seconds} s, {during} reloads");
}
