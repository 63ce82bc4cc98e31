//! A disk that is full of events refuses publishes alone: `events.db` lies on a small file system of
//! its own, by a link, and is filled to the last byte. Polls, strategies, flips and stops go on, and
//! once there is room, so do publishes; nothing that was acknowledged is lost.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::events_wire::{drain, publish, publisher};
use crate::server::{Home, Server};
use crate::wire::Wire;
use crate::{Outcome, Run, flag};

const SIZE: &str = "size=8m";
const BALLAST_BYTES: usize = 4 << 20;
const STREAM: &str = "s";
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_PUBLISHES: u64 = 2_000;

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let home = Home::new(&[("lane.yaml", &flag("lane", "rollout: { realtime-v2: 10% }"))]);
    let small = home.folder.path().join("small");
    let Some(disk) = SmallDisk::mount(&small)? else {
        outcome.not_checked.push("events-full (a small disk needs root)".to_owned());
        return Ok(outcome);
    };
    // The database is made where it usually lies, and moved as people do.
    run.program.start(&home)?.stop();
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        let (from, to) = (home.data.join(name), small.join(name));
        if from.exists() {
            fs::copy(&from, &to).and_then(|_| fs::remove_file(&from)).map_err(text)?;
        }
    }
    symlink(small.join("events.db"), home.data.join("events.db")).map_err(text)?;
    let server = run.program.start(&home)?;
    let mut wire = publisher(&server)?;
    let ballast = disk.ballast()?;
    let mut taken = fill(&mut wire, &mut outcome)?;
    outcome.check(!taken.is_empty(), || "no event was taken".to_owned());
    control_works(&server, &mut outcome)?;
    let (ids, _) = drain(&mut wire, STREAM)?;
    outcome.check(ids == taken, || "polls do not go on while the disk is full".to_owned());
    fs::remove_file(ballast).map_err(text)?;
    let (begun, again) = (Instant::now(), large("again"));
    while publish(&mut wire, STREAM, &again).map_err(text)?.status != 200 {
        if begun.elapsed() > PATIENCE {
            return Err("publishes are not taken again once there is room".to_owned());
        }
        thread::sleep(Duration::from_millis(100));
    }
    taken.push("again".to_owned());
    server.kill();
    let server = run.program.start(&home)?;
    let (ids, _) = drain(&mut publisher(&server)?, STREAM)?;
    outcome.check(ids == taken, || {
        format!("{} events are there, {} were acknowledged", ids.len(), taken.len())
    });
    server.stop();
    outcome.figures = json!({ "eventsAcknowledged": taken.len() });
    Ok(outcome)
}

fn large(id: &str) -> Vec<Json> {
    vec![json!({ "id": id, "type": "proof", "data": "x".repeat(16 * 1024) })]
}

/// Publishes until the disk is full; the ids that were taken.
fn fill(wire: &mut Wire, outcome: &mut Outcome) -> Result<Vec<String>, String> {
    let mut taken = Vec::new();
    for number in 0..MOST_PUBLISHES {
        let id = format!("e-{number}");
        let answer = publish(wire, STREAM, &large(&id)).map_err(text)?;
        if answer.status != 200 {
            let code = answer.json()["code"].clone();
            outcome.check((answer.status, &code) == (507, &json!("events-full")), || {
                format!("a publish on a full disk was answered {} {code}", answer.status)
            });
            return Ok(taken);
        }
        taken.push(id);
    }
    Err("the disk was never full".to_owned())
}

fn control_works(server: &Server, outcome: &mut Outcome) -> Result<(), String> {
    let mut operator = server.operator()?;
    let asked = server.client()?.ask("lane", r#"{"targetingKey":"u-1"}"#).map_err(text)?;
    outcome.check(asked.status == 200, || format!("a strategy was answered {}", asked.status));
    for (verb, body) in [
        ("set", r#"{"realtime-v2":"20%","reason":"proof"}"#),
        ("stop", "{}"),
        ("resume", r#"{"reason":"proof"}"#),
    ] {
        let done = operator.order("lane", verb, None, body).map_err(text)?;
        outcome.check(done.status == 200, || {
            format!("{verb} was answered {} {} while events are full", done.status, done.json())
        });
    }
    Ok(())
}

/// A small file system, gone when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where none may be mounted.
    fn mount(at: &Path) -> Result<Option<SmallDisk>, String> {
        fs::create_dir_all(at).map_err(text)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at).stderr(Stdio::null());
        let is_mounted = mount.status().is_ok_and(|status| status.success());
        Ok(is_mounted.then(|| SmallDisk(at.to_owned())))
    }

    /// A file that takes half of it.
    fn ballast(&self) -> Result<PathBuf, String> {
        let path = self.0.join("ballast");
        let mut file = File::create(&path).map_err(text)?;
        file.write_all(&vec![7; BALLAST_BYTES]).map_err(text)?;
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
