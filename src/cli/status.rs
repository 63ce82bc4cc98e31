//! `turnout status`: how it stands. The first line says what matters.

use clap::Args;
use serde_json::Value as Json;

use super::converge::WatchArgs;
use super::convergence::Counts;
use super::remote::{ServerArgs, serving, text, text_of};
use super::table::table;
use super::{Exit, change, count, print, print_error, print_note, time};
use crate::flag::{FlagKey, ServerAuth};

#[derive(Debug, Args)]
#[command(
    after_help = "In the table, `=` under FILE says that what is live is what the file says. CLIENTS are open streams: how many hold what is live; `told` are those that cannot acknowledge. With --json and -w it is one JSON object a line, as the server says how far it has landed."
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
        self.try_run().unwrap_or_else(|(exit, message)| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, (Exit, String)> {
        if !(self.json && self.watching.watch) {
            self.show()?;
        }
        Ok(self.watching.follow(&self.remote, self.flag.as_ref(), self.json))
    }

    fn show(&self) -> Result<(), (Exit, String)> {
        let reply = match (&self.flag, self.json) {
            (Some(flag), true) => self.remote.get(&format!("/v1/flags/{flag}"))?,
            _ => self.remote.get("/v1/status")?,
        };
        if self.json {
            print(&format!("{reply}\n"));
            return Ok(());
        }
        let first = format!(
            "{}\n{}{}",
            first_line(&reply),
            server_auth(&reply),
            streams(&reply["streams"])
        );
        match &self.flag {
            None => print(&format!("{first}{}", flags(&reply))),
            Some(flag) => {
                let flag = self.remote.get(&format!("/v1/flags/{flag}"))?;
                print(&format!("{first}{}", details(&flag)));
            }
        }
        if reply["problems"].as_u64().unwrap_or_default() > 0 {
            print_note("turnout problems says what is wrong, and the fix");
        }
        Ok(())
    }
}

/// `database DOWN since 02:41, serving revision 214 from memory; stopping and lowering work; 1
/// change not yet saved`.
fn first_line(reply: &Json) -> String {
    let (database, revision) = (&reply["database"], &reply["revision"]);
    let since = || time::of(&database["sinceMs"]);
    let mut line = match &*text_of(&database["state"]) {
        "up" => format!("revision {revision} is live and saved"),
        "down" => {
            format!(
                "database DOWN since {}, serving revision {revision} from memory; stopping and lowering work",
                since()
            )
        }
        _ => {
            let why = text_of(&database["why"]);
            format!(
                "database NOT BELIEVED since {} ({why}); serving revision {revision} as last known; stopping and lowering work; \
                 `turnout serve --accept-database` takes it as it is",
                since()
            )
        }
    };
    match reply["pending"].as_u64().unwrap_or_default() as usize {
        0 => {}
        pending => line.push_str(&format!("; {} not yet saved", count(pending, "change"))),
    }
    match reply["problems"].as_u64().unwrap_or_default() as usize {
        0 => {}
        problems => line.push_str(&format!("; {}", count(problems, "problem"))),
    }
    line
}

/// A line, if clients get something else than the table says.
fn server_auth(reply: &Json) -> String {
    if reply["serverAuth"] == true { format!("{}\n", ServerAuth::CLAMPS) } else { String::new() }
}

/// A line, if there is hardly room for another stream.
fn streams(reply: &Json) -> String {
    let [open, limit] = ["open", "limit"].map(|name| reply[name].as_u64().unwrap_or_default());
    match open {
        open if open >= limit && limit > 0 => {
            format!(
                "streams FULL: {open} of {limit}; who comes now polls until one ends (TURNOUT_MAX_STREAMS)\n"
            )
        }
        open if open >= limit - limit / 10 && limit > 0 => {
            format!(
                "streams nearly full: {open} of {limit}; then clients poll (TURNOUT_MAX_STREAMS)\n"
            )
        }
        _ => String::new(),
    }
}

fn flags(reply: &Json) -> String {
    let flags = reply["flags"].as_array().map_or(&[][..], Vec::as_slice);
    if flags.is_empty() {
        return "no flag is known\n".to_owned();
    }
    let rows: Vec<[String; 6]> = flags.iter().map(row).collect();
    table(["FLAG", "LIVE", "FILE", "HELD BY", "REV", "CLIENTS"], &rows)
}

fn row(flag: &Json) -> [String; 6] {
    let file = match (flag["drift"] == true, text(&flag["file"])) {
        (_, None) => "-".to_owned(),
        (true, Some(file)) => file,
        (false, Some(_)) => "=".to_owned(),
    };
    let held_by = match ["stop", "held", "pin"]
        .iter()
        .map(|slot| &flag[*slot])
        .find(|slot| !slot.is_null())
    {
        None => "-".to_owned(),
        // The reason stands in `turnout status FLAG`.
        Some(mark) => match mark["ends"]["atMs"].as_i64() {
            Some(ms) => format!("{} until {}", text_of(&mark["by"]), time::at(ms)),
            None => text_of(&mark["by"]),
        },
    };
    let clients = Counts::of(&flag["clients"]).cell();
    [
        text_of(&flag["flag"]),
        serving(&text_of(&flag["live"])),
        serving(&file),
        held_by,
        flag["revision"].to_string(),
        clients,
    ]
}

/// Everything about one flag.
fn details(flag: &Json) -> String {
    let mut lines = vec![("live", serving(&text_of(&flag["live"])))];
    lines.push(match (flag["drift"] == true, text(&flag["file"])) {
        (_, None) => ("file", "no good definition; turnout problems".to_owned()),
        (true, Some(file)) => ("file", serving(&file)),
        (false, Some(_)) => ("file", "the same".to_owned()),
    });
    if !flag["stop"].is_null() {
        lines.push(("stopped", format!("by {}", time::mark(&flag["stop"]))));
    }
    let held = &flag["held"];
    if !held.is_null() {
        lines.push(("held", format!("{} by {}", change::split(&held["split"]), time::mark(held))));
    }
    let ends = &held["ends"];
    if !ends.is_null() {
        let named = if ends["named"] == true { "" } else { ", if that does not widen" };
        lines.push((
            "ends",
            format!(
                "at {}: then {}{named}",
                time::of(&ends["atMs"]),
                change::split(&ends["split"])
            ),
        ));
    }
    if !flag["pin"].is_null() {
        let (revision, mark) = (&flag["pin"]["revision"], time::mark(&flag["pin"]));
        lines.push(("pinned", format!("the definition of revision {revision}, by {mark}")));
    }
    if let Some(owner) = text(&flag["owner"]) {
        lines.push(("owner", owner));
    }
    lines.push(("changed", format!("at revision {}", flag["revision"])));
    lines.push(("clients", Counts::of(&flag["clients"]).in_words()));
    let lines = lines.iter().map(|(name, text)| format!("  {name:<8} {text}\n"));
    format!("{}\n{}", text_of(&flag["flag"]), lines.collect::<String>())
}
