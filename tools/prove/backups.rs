//! A backup that is taken while flags are flipped is whole, wherever `kill -9` falls, and what it is
//! restored over lifts nothing: operators flip, revoke and publish, `turnout backup` runs beside them,
//! the server is killed, the backup is restored as docs/OPERATIONS.md says, and the service is
//! started again.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::backups_check::{FoundState, check_after_acceptance, check_as_found, check_new_machine};
use crate::backups_load::{Load, Told};
use crate::rng::Rng;
use crate::server::{Home, Server};
use crate::{Outcome, Run, flag};

/// Each has a flag of its own.
pub const OPERATORS: usize = 6;
/// How long it goes on before the backup and, mostly, after it.
const SPAN_MS: u64 = 400;

/// Where the server was killed, and where the backup went.
#[derive(Default)]
struct Counts {
    rounds: u64,
    killed_during_the_backup: u64,
    backups_killed: u64,
    held: u64,
    served: u64,
    started_first: u64,
    new_machines: u64,
    acknowledged: u64,
    loaded_seconds: f64,
    revocations: u64,
    events: u64,
}

/// What a backup said of itself.
pub struct Backup {
    pub folder: PathBuf,
    pub revision: u64,
    pub began: Instant,
}

pub fn prove(run: &Run) -> Result<Outcome, String> {
    let count = run.count.unwrap_or(if run.short { 5 } else { 100 });
    let until = Instant::now() + Duration::from_secs(run.seconds.unwrap_or(86_400));
    let (mut rng, mut outcome, mut counts) =
        (Rng::new(run.seed), Outcome::default(), Counts::default());
    while counts.rounds < count && Instant::now() < until {
        let (round, seed) = (counts.rounds, rng.next());
        one_round(run, round, seed, &mut outcome, &mut counts)
            .map_err(|fault| format!("round {round} (seed {seed}): {fault}"))?;
        counts.rounds += 1;
    }
    outcome.figures = json!({
        "rounds": counts.rounds,
        "killedDuringTheBackup": counts.killed_during_the_backup,
        "backupsKilledThemselves": counts.backups_killed,
        "startsThatHeldTheBackup": counts.held,
        "startsThatServedIt": counts.served,
        "restoresThatWantedAStartFirst": counts.started_first,
        "restoredOnANewMachine": counts.new_machines,
        "flipsAcknowledged": counts.acknowledged,
        "flipsPerSecond": counts.acknowledged as f64 / counts.loaded_seconds,
        "revocationsAcknowledged": counts.revocations,
        "eventsAcknowledged": counts.events,
    });
    Ok(outcome)
}

pub fn own(operator: usize) -> String {
    format!("own-{operator}")
}

fn one_round(
    run: &Run,
    round: u64,
    seed: u64,
    outcome: &mut Outcome,
    counts: &mut Counts,
) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let keys: Vec<String> = (0..OPERATORS).map(own).chain(["lane".to_owned()]).collect();
    let names: Vec<String> = keys.iter().map(|key| format!("{key}.yaml")).collect();
    let texts: Vec<String> =
        keys.iter().map(|key| flag(key, "rollout: { realtime-v2: 10% }")).collect();
    let files: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let home = Home::new(&files);
    let server = run.program.start(&home)?;
    let (load, began) = (Load::start(&server, &mut rng)?, Instant::now());
    thread::sleep(Duration::from_millis(50 + rng.below(SPAN_MS)));
    if rng.percent(20) {
        counts.backups_killed += u64::from(kill_a_backup(run, &home, &mut rng, outcome)?);
    }
    let during = rng.percent(40);
    let folder = home.folder.path().join("backup");
    let taking = taking(run, &home, &folder)?;
    let (backup_began, ended) = (taking.began, taking.ended.clone());
    let (server, taken) = if during {
        thread::sleep(Duration::from_micros(rng.below(60_000)));
        counts.killed_during_the_backup += u64::from(!ended.load(Relaxed));
        server.kill();
        (None, taking.finish()?)
    } else {
        (Some(server), taking.finish()?)
    };
    if let Some(server) = server {
        thread::sleep(Duration::from_micros(rng.below(SPAN_MS * 1000)));
        server.kill();
    }
    let seconds = began.elapsed().as_secs_f64();
    let told = load.end()?;
    counts.loaded_seconds += seconds;
    counts.acknowledged += told.acknowledged();
    counts.revocations += told.revocations();
    counts.events += told.published.len() as u64;
    let said = said(&taken, "backup")?;
    let revision = said["backup"]["known"]["head"]["revision"].as_u64();
    let revision = revision.ok_or(format!("what revision has the backup? {said}"))?;
    let backup = Backup { folder, revision, began: backup_began };
    if round % 4 == 3 {
        counts.new_machines += 1;
        return on_a_new_machine(run, &home, &backup, &told, outcome);
    }
    let mut restored = restore(run, &home, &backup)?;
    if restored.status.code() == Some(3) {
        let why = String::from_utf8_lossy(&restored.stderr).into_owned();
        outcome
            .check(why.contains("stop it with SIGTERM"), || format!("the restore refused: {why}"));
        counts.started_first += 1;
        run.program.start(&home)?.stop();
        restored = restore(run, &home, &backup)?;
    }
    let said = self::said(&restored, "restore")?;
    // As a machine that loses its power would be switched on again.
    let server = run.program.start(&home)?;
    let known = check_as_found(&server, &said, &backup, &told, outcome)?;
    counts.held += u64::from(known == FoundState::Later);
    counts.served += u64::from(known == FoundState::OfBackup);
    end(server, &mut rng);
    if known == FoundState::Later {
        let server = run.program.start_with(&home, &["--accept-database"])?;
        check_after_acceptance(&server, &backup, &told, outcome)?;
        end(server, &mut rng);
    }
    let server = run.program.start(&home)?;
    check_after_acceptance(&server, &backup, &told, outcome)
}

/// In good order, or not.
fn end(server: Server, rng: &mut Rng) {
    if rng.percent(50) {
        server.stop();
    } else {
        server.kill();
    }
}

/// Nothing of this node goes along but its flags.
fn on_a_new_machine(
    run: &Run,
    home: &Home,
    backup: &Backup,
    told: &Told,
    outcome: &mut Outcome,
) -> Result<(), String> {
    fs::rename(&home.data, home.data.with_extension("gone")).map_err(|error| error.to_string())?;
    let said = said(&restore(run, home, backup)?, "restore")?;
    outcome.check(said["start"] == "serves", || format!("a new machine: {said}"));
    check_new_machine(&run.program.start(home)?, backup, told, outcome)
}

fn backup_command(run: &Run, home: &Home, folder: &Path) -> Command {
    let mut command = Command::new(&run.program.path);
    command.arg("backup").arg(folder).arg("--data").arg(&home.data).arg("--json");
    command
}

fn restore(run: &Run, home: &Home, backup: &Backup) -> Result<Output, String> {
    let mut command = Command::new(&run.program.path);
    command.arg("restore").arg(&backup.folder).arg("--data").arg(&home.data);
    command.args(["--replace", "--json"]);
    command.output().map_err(|error| error.to_string())
}

/// What a command said in JSON; an error if it failed.
fn said(output: &Output, verb: &str) -> Result<Json, String> {
    if !output.status.success() {
        return Err(format!(
            "{verb} ended with {:?}: {}",
            output.status.code(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{verb}: {error}"))
}

/// A backup that runs.
struct Taking {
    began: Instant,
    ended: Arc<AtomicBool>,
    waiting: thread::JoinHandle<std::io::Result<Output>>,
}

fn taking(run: &Run, home: &Home, folder: &Path) -> Result<Taking, String> {
    let began = Instant::now();
    let mut command = backup_command(run, home, folder);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(|error| error.to_string())?;
    let ended = Arc::new(AtomicBool::new(false));
    let done = ended.clone();
    let waiting = thread::spawn(move || {
        let output = child.wait_with_output();
        done.store(true, Relaxed);
        output
    });
    Ok(Taking { began, ended, waiting })
}

impl Taking {
    fn finish(self) -> Result<Output, String> {
        let output = self.waiting.join().map_err(|_| "the backup's thread panicked")?;
        output.map_err(|error| error.to_string())
    }
}

/// A backup that is killed has no name. Returns whether it was killed before its end.
fn kill_a_backup(
    run: &Run,
    home: &Home,
    rng: &mut Rng,
    outcome: &mut Outcome,
) -> Result<bool, String> {
    let folder = home.folder.path().join("killed");
    let mut command = backup_command(run, home, &folder);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    thread::sleep(Duration::from_micros(rng.below(60_000)));
    let _ = child.kill();
    let status = child.wait().map_err(|error| error.to_string())?;
    let mut why = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_string(&mut why);
    }
    let named = folder.exists();
    match status.code() {
        // It may be killed between the name and its end.
        None => outcome.check(!named || folder.join("backup.json").exists(), || {
            "a backup that was killed has its name, and is not whole".to_owned()
        }),
        Some(code) => outcome.check(code == 0 && named, || format!("the backup failed: {why}")),
    }
    Ok(status.code().is_none())
}
