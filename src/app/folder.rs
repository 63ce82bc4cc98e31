//! The flags folder: its first reading, and whether it hangs later.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::Config;
use crate::control::{Coordinator, Problem, ProblemKind};
use crate::definition::FlagFiles;
use crate::flag_files::{FlagsDir, Pulse};
use crate::telemetry;

/// How long the flags folder may not answer at a start before the service starts without it.
const FOLDER_START_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the flags folder may not answer later before that is a problem, and how often the
/// service checks.
const FOLDER_HANG_TIMEOUT: Duration = Duration::from_secs(10);
const FOLDER_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How long a reading that was asked for may take before nothing is said of it, and how often that is
/// checked.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);
const RELOAD_CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// By then what was read is live, waits, or is a problem; a file that may be half written waits for a second.
const RELOAD_SETTLES_WITHIN: Duration = Duration::from_millis(1_200);

/// Reads the flags folder for the first time. After `FOLDER_START_TIMEOUT` the service starts
/// without the folder: its files go live when it answers, and the last known state is served until
/// then.
pub(super) async fn read_first(config: &Config) -> (FlagsDir, FlagFiles) {
    let anew = || FlagsDir::new(&config.flags, config.internal_user_ids.clone());
    let mut folder = anew();
    let pulse = folder.pulse();
    let mut reading = tokio::task::spawn_blocking(move || {
        let contents = folder.read();
        (folder, contents)
    });
    let mut seen = pulse.of_reading();
    loop {
        match timeout(FOLDER_START_TIMEOUT, &mut reading).await {
            Ok(Ok(read)) => return read,
            Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Err(_) if pulse.of_reading() != seen => seen = pulse.of_reading(),
            Err(_) => {
                let why = format!("{} does not answer", config.flags.display());
                let internal_user_ids = config.internal_user_ids.clone();
                return (
                    anew(),
                    FlagFiles { unreadable: Some(why), internal_user_ids, ..FlagFiles::default() },
                );
            }
        }
    }
}

/// Reports a problem while the disk or mount of the flags folder hangs.
pub(super) async fn report_silence(coordinator: Coordinator, pulse: Pulse, flags: String) {
    let (mut seen, mut since) = (None, tokio::time::Instant::now());
    loop {
        tokio::time::sleep(FOLDER_CHECK_INTERVAL).await;
        let now = pulse.of_reading();
        if now.is_none() || now != seen {
            (seen, since) = (now, tokio::time::Instant::now());
        }
        let trouble = || {
            Problem {
            kind: ProblemKind::FlagsFolder,
            subject: None,
            message: format!("the flags folder {flags} does not answer: a reading of it hangs"),
            hint: "see to the disk or mount it lies on; what is live stays live, and operators' changes work".to_owned(),
        }
        };
        let hangs = since.elapsed() >= FOLDER_HANG_TIMEOUT && now.is_some();
        coordinator.report(ProblemKind::FlagsFolder, hangs.then(trouble).into_iter().collect());
    }
}

/// Logs how it stands once the folder was read that a person asked for. Of one that hangs there is a problem.
pub(super) async fn report_reload(coordinator: Coordinator, pulse: Pulse, reading: u64) {
    for _ in 0..RELOAD_TIMEOUT.as_millis() / RELOAD_CHECK_INTERVAL.as_millis() {
        tokio::time::sleep(RELOAD_CHECK_INTERVAL).await;
        if pulse.has_ended(reading) {
            tokio::time::sleep(RELOAD_SETTLES_WITHIN).await;
            let position = coordinator.live().current().position();
            return telemetry::reloaded(position, coordinator.problems().count());
        }
    }
}

/// Makes a reading of the folder live and logs the result.
pub(super) async fn ingest_folder(coordinator: &Coordinator, flags: &Path, contents: &FlagFiles) {
    let taken_in = coordinator.ingest(contents).await;
    if taken_in.findings_changed {
        telemetry::problems(&coordinator.problems().current(), contents, flags);
    }
}
