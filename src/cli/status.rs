//! `turnout status`: how it stands. The first line says what matters.

use std::collections::HashMap;

use clap::Args;
use turnout_api::admin::flags::{
    Database, DatabaseStatus, End, FlagState, Held, Overrides, Pin, Status as Shown, StreamRoom,
};
use turnout_api::admin::problems::{Problems, StandingProblem};

use super::colours::{print_flags, print_screen};
use super::converge::WatchArgs;
use super::convergence::{cell, in_words};
use super::http_client::CliError;
use super::remote::ServerArgs;
use super::table::table;
use super::words::{self, serving};
use super::wrap::lines_of;
use super::{Exit, count, output, print, print_error, print_note, time};
use crate::definition::Code;
use crate::flag::{FlagKey, ServerAuth};

#[derive(Debug, Args)]
#[command(
    after_help = "In the table, `=` under FILE says that what is live is what the file says; a share there is of realtime-v2. A file that is `broken`, `unread` or `gone` counts as it last was. Under HELD BY, `(stop)` is who stopped it. CLIENTS are open streams: how many hold what is live; those that `cannot confirm` were sent it and never acknowledge anything. With --json and -w it is one JSON object a line, as the server says how far it has landed."
)]
pub struct Status {
    /// One flag, with everything about it
    flag: Option<FlagKey>,

    /// What the server says, as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    watching: WatchArgs,

    #[command(flatten)]
    remote: ServerArgs,
}

impl Status {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, CliError> {
        if !(self.json && self.watching.watch) {
            self.show()?;
        }
        Ok(self.watching.follow(&self.remote, self.flag.as_ref(), self.json))
    }

    fn show(&self) -> Result<(), CliError> {
        let of = |flag: &FlagKey| self.remote.get::<FlagState>(&format!("/v1/flags/{flag}"));
        if let (Some(flag), true) = (&self.flag, self.json) {
            print(&format!("{}\n", of(flag)?.json));
            return Ok(());
        }
        let reply = self.remote.get::<Shown>("/v1/status")?;
        if self.json {
            print(&format!("{}\n", reply.json));
            return Ok(());
        }
        let shown = reply.read;
        let first =
            format!("{}\n{}{}", first_line(&shown), server_auth(&shown), streams(shown.streams));
        let bad = if shown.problems > 0 { bad_files(&self.remote) } else { BadFiles::new() };
        match &self.flag {
            None => {
                print_flags(&format!("{first}{}", flags(&shown.flags, &bad)), &held(&shown.flags));
            }
            Some(flag) => {
                let state = of(flag)?.read;
                print_screen(&format!("{first}{}", details(&state, bad.get(flag.as_str()))));
            }
        }
        if shown.problems > 0 {
            print_note("turnout problems says what is wrong, and the fix");
        }
        Ok(())
    }
}

/// `database DOWN since 02:41, serving revision 214 from memory; stopping and lowering work; 1
/// change not yet saved`.
fn first_line(shown: &Shown) -> String {
    let Shown { revision, database: Database { state, why, since_ms }, .. } = shown;
    let since = since_ms.map(time::at).unwrap_or_default();
    let mut line = match state {
        DatabaseStatus::Up => format!("revision {revision} is live and saved"),
        DatabaseStatus::Down => {
            format!(
                "database DOWN since {since}, serving revision {revision} from memory; stopping and lowering work"
            )
        }
        DatabaseStatus::Held => {
            let why = why.as_deref().unwrap_or_default();
            format!(
                "database NOT BELIEVED since {since} ({why}); serving revision {revision} as last known; stopping and lowering work; \
                 to go on, `turnout serve --accept-database` first writes every stop, lower share and revocation known here into it"
            )
        }
    };
    if shown.pending > 0 {
        line.push_str(&format!("; {} not yet saved", count(shown.pending, "change")));
    }
    if shown.problems > 0 {
        line.push_str(&format!("; {}", count(shown.problems, "problem")));
    }
    line
}

/// A line, if clients get something else than the table says.
fn server_auth(shown: &Shown) -> String {
    if shown.server_auth { format!("{}\n", ServerAuth::CLAMPS) } else { String::new() }
}

/// A line, if there is hardly room for another stream.
fn streams(StreamRoom { open, limit }: StreamRoom) -> String {
    if limit > 0 && open >= limit {
        format!(
            "streams FULL: {open} of {limit}; who comes now polls until one ends (TURNOUT_MAX_STREAMS)\n"
        )
    } else if limit > 0 && open >= limit - limit / 10 {
        format!("streams nearly full: {open} of {limit}; then clients poll (TURNOUT_MAX_STREAMS)\n")
    } else {
        String::new()
    }
}

/// The flags whose files are not what was last taken in, each with a word for why.
type BadFiles = HashMap<String, &'static str>;

/// What the server finds wrong with flag files; nothing where it does not say.
fn bad_files(remote: &ServerArgs) -> BadFiles {
    let Ok(found) = remote.get::<Problems>("/v1/problems") else { return BadFiles::new() };
    let word = |problem: StandingProblem| {
        let flag = problem.file?.strip_suffix(".yaml")?.to_owned();
        let is = |code: Code| problem.code == code.as_str();
        let word = match () {
            () if is(Code::VanishedFile) => "gone",
            () if is(Code::UnreadableFile) => "unread",
            () => "broken",
        };
        Some((flag, word))
    };
    found.read.problems.into_iter().filter_map(word).collect()
}

fn flags(flags: &[FlagState], bad: &BadFiles) -> String {
    if flags.is_empty() {
        return "no flag is known\n".to_owned();
    }
    let rows: Vec<[String; 6]> = flags.iter().map(|flag| row(flag, bad.get(&flag.flag))).collect();
    table("FLAG  LIVE  FILE  HELD BY  REV  CLIENTS", &rows)
}

fn row(flag: &FlagState, bad: Option<&&str>) -> [String; 6] {
    let file = match (bad, flag.drift, &flag.file) {
        (Some(bad), _, _) => (*bad).to_owned(),
        (None, _, None) => "-".to_owned(),
        (None, true, Some(file)) => words::short(file),
        (None, false, Some(_)) => "=".to_owned(),
    };
    let live = serving(&flag.live);
    [
        flag.flag.clone(),
        live,
        file,
        held_by(flag),
        flag.revision.to_string(),
        cell(flag.clients.as_ref()),
    ]
}

/// The reason stands in `turnout status FLAG`.
fn held_by(flag: &FlagState) -> String {
    match marks(flag).next() {
        None => "-".to_owned(),
        Some((by, _)) if flag.overrides.stop.is_some() => format!("{by} (stop)"),
        Some((by, None)) => by.to_owned(),
        Some((by, Some(ms))) => format!("{by} until {}", time::at(ms)),
    }
}

/// The flags over whose file something is held and that are not stopped, each with its cell.
fn held(flags: &[FlagState]) -> Vec<(&str, String)> {
    let held = flags.iter().filter(|flag| flag.overrides.stop.is_none());
    let held = held.filter(|flag| marks(flag).next().is_some());
    held.map(|flag| (flag.flag.as_str(), held_by(flag))).collect()
}

/// Who holds something over the file, and until when: a stop first.
fn marks(flag: &FlagState) -> impl Iterator<Item = (&str, Option<i64>)> {
    let Overrides { stop, held, pin } = &flag.overrides;
    let stop = stop.as_ref().map(|mark| (mark.by.as_str(), None));
    let end = |held: &Held| {
        held.ends.as_ref().filter(|end| !words::is_passed_over(end)).map(|end| end.at_ms)
    };
    let held = held.as_ref().map(|held| (held.mark.by.as_str(), end(held)));
    let pin = pin.as_ref().map(|pin| (pin.mark.by.as_str(), None));
    [stop, held, pin].into_iter().flatten()
}

/// Everything about one flag.
fn details(flag: &FlagState, bad: Option<&&str>) -> String {
    let mut lines = vec![("live", serving(&flag.live))];
    let file = match (flag.drift, &flag.file) {
        (_, None) => "no good definition; turnout problems".to_owned(),
        (true, Some(file)) => serving(file),
        (false, Some(_)) => "the same".to_owned(),
    };
    let file = match bad {
        Some(bad) if flag.file.is_some() => format!("{bad} now (turnout problems); before: {file}"),
        _ => file,
    };
    lines.push(("file", file));
    if let Some(stop) = &flag.overrides.stop {
        lines.push(("stopped", format!("by {}", words::mark(stop))));
    }
    if let Some(Held { split, mark, ends }) = &flag.overrides.held {
        lines.push(("held", format!("{} by {}", words::split(Some(split)), words::mark(mark))));
        if let Some(end @ End { at_ms, split, named }) = ends {
            let (at, then) = (time::at(*at_ms), words::split(split.as_ref()));
            lines.push(if words::is_passed_over(end) {
                ("ended", format!("not at {at}: going back to {then} would widen, and was not named with --then"))
            } else {
                let named = if *named { "" } else { ", if that does not widen" };
                ("ends", format!("at {at}: then {then}{named}"))
            });
        }
    }
    if let Some(Pin { revision, mark }) = &flag.overrides.pin {
        let mark = words::mark(mark);
        lines.push(("pinned", format!("the definition of revision {revision}, by {mark}")));
    }
    if let Some(owner) = &flag.owner {
        lines.push(("owner", owner.clone()));
    }
    lines.push(("changed", format!("at revision {}", flag.revision)));
    lines.push(("clients", in_words(flag.clients.as_ref())));
    const OWN: usize = "  changed  ".len();
    let columns = output::columns().map_or(usize::MAX, |columns| columns.saturating_sub(OWN));
    let line = |(name, text): &(&str, String)| {
        let text = lines_of(text, columns).join(&format!("\n{:OWN$}", ""));
        format!("  {name:<8} {text}\n")
    };
    format!("{}\n{}", flag.flag, lines.iter().map(line).collect::<String>())
}
