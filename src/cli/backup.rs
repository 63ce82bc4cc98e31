//! `turnout backup` and `turnout restore`: copies of the databases of a data folder on this machine,
//! with or without a server that uses it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::http_client::{self, CliError};
use super::output::print_lines;
use super::{Exit, count, print, print_error, print_note, time};
use crate::backup::{self, BackupError, Manifest, Options, Restored};
use crate::clock;
use crate::control::Forecast;
use crate::display_text;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    turnout backup /var/backups/turnout-monday\n  \
    turnout backup backups/$(date +%F) --data /var/lib/turnout\n\n\
    The server goes on meanwhile. The folder has its name once every page, revision and event of the copy was read. No token and no key \
    is in it, and no flag file.")]
pub struct Backup {
    /// The folder to make
    dir: PathBuf,

    /// Leave the events out
    #[arg(long)]
    without_events: bool,

    /// What was copied, as JSON
    #[arg(long)]
    json: bool,

    /// The data folder to copy
    #[arg(long, value_name = "DIR", env = "TURNOUT_DATA", default_value = "./data")]
    data: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    turnout restore /var/backups/turnout-monday --data /var/lib/turnout\n  \
    turnout restore /var/backups/turnout-monday --replace\n\n\
    The server has to be stopped. What was there keeps another name; nothing is deleted. What this node knows of later states stays: a \
    start holds an older database, and lifts no stop.")]
pub struct Restore {
    /// The folder that `turnout backup` made
    dir: PathBuf,

    /// Restore where the state of a server lies already
    #[arg(long)]
    replace: bool,

    /// What was restored and what a start will do, as JSON
    #[arg(long)]
    json: bool,

    /// The data folder to restore into
    #[arg(long, value_name = "DIR", env = "TURNOUT_DATA", default_value = "./data")]
    data: PathBuf,
}

impl Backup {
    pub fn run(&self) -> Exit {
        let Backup { dir, without_events, json, data } = self;
        let options =
            Options { data, to: dir, with_events: !without_events, now_ms: clock::wall_ms() };
        let manifest = match finished(backup::take(options)) {
            Ok(manifest) => manifest,
            Err(exit) => return exit,
        };
        if *json {
            print(&format!("{}\n", json!({ "folder": dir, "backup": manifest })));
            return Exit::Yes;
        }
        let shown = display_text::path(dir);
        print_lines(&format!("{shown}   {}; all of it was read and is whole\n", what(&manifest)));
        print_note(&format!(
            "no token, key or flag file is in it; turnout restore {shown} puts it into a data folder"
        ));
        Exit::Yes
    }
}

impl Restore {
    pub fn run(&self) -> Exit {
        let Restore { dir, replace, json, data } = self;
        let restored = match finished(backup::restore(dir, data, *replace, clock::wall_ms())) {
            Ok(restored) => restored,
            Err(exit) => return exit,
        };
        if *json {
            print(&format!("{}\n", as_json(data, &restored)));
        } else {
            print_lines(&in_words(data, &restored));
        }
        Exit::Yes
    }
}

fn in_words(data: &Path, restored: &Restored) -> String {
    let Restored { manifest, aside, has_heads, forecast } = restored;
    let mut lines = vec![format!("{}   {}", display_text::path(data), what(manifest))];
    for path in aside {
        lines.push(format!("kept:     {}", display_text::path(path)));
    }
    lines.push(match forecast {
        Forecast::Serves => "a start:  serves it".to_owned(),
        Forecast::Begins => "a start:  finds nothing it knows; something took the copy away".to_owned(),
        Forecast::Holds(why) => format!(
            "a start:  holds it ({}): what was live last is served, stopping and lowering work\n\
             to go on: turnout serve --accept-database; it first writes every stop, lower share and revocation since into it",
            display_text::line(why)
        ),
    });
    if manifest.events.is_some() {
        let which = if *has_heads {
            "streams that had more events than the backup begin anew"
        } else {
            "nothing says how far readers came, so every stream begins anew"
        };
        lines.push(format!("events:   {which} (their readers get stream-reset)"));
    }
    lines.join("\n") + "\n"
}

fn as_json(data: &Path, restored: &Restored) -> serde_json::Value {
    let Restored { manifest, aside, has_heads, forecast } = restored;
    let (start, why) = match forecast {
        Forecast::Serves => ("serves", None),
        Forecast::Begins => ("begins", None),
        Forecast::Holds(why) => ("holds", Some(why)),
    };
    json!({
        "folder": data, "backup": manifest, "kept": aside, "start": start, "why": why,
        "allStreamsBeginAnew": manifest.events.is_some() && !has_heads,
    })
}

/// What a backup holds, in one line.
fn what(manifest: &Manifest) -> String {
    let head = manifest.known.head;
    let mut parts = vec![format!(
        "revision {} of {}, taken {}",
        head.revision,
        time::at(head.committed_at_ms),
        time::at(manifest.taken_at_ms)
    )];
    if manifest.pending > 0 {
        parts.push(format!("{} not in the database yet", count(manifest.pending, "change")));
    }
    parts.push(match manifest.events {
        Some(counts) => format!(
            "{} with {}",
            count(counts.streams as usize, "stream"),
            count(counts.events as usize, "event")
        ),
        None => "no events".to_owned(),
    });
    parts.join("; ")
}

fn finished<T>(work: impl Future<Output = Result<T, BackupError>>) -> Result<T, Exit> {
    let done = http_client::runtime().map_err(|CliError { exit, message, .. }| (exit, message));
    let done = done.and_then(|runtime| {
        runtime.block_on(work).map_err(|error| match error {
            BackupError::Refused(why) => (Exit::Refused, why),
            BackupError::Failed(why) => (Exit::Failed, why),
        })
    });
    done.map_err(|(exit, message)| {
        print_error(&message);
        exit
    })
}
