//! The layers hold: a module imports only from floors below its own, and each foreign crate is used
//! only in its room.

use std::collections::BTreeSet;

use crate::sources;

/// From the ground up. Within a floor, a module may import those before it that [`STAIRS`] connects
/// it to.
const FLOORS: [&[&str]; 5] = [
    &["api", "flag", "definition", "moment", "clock", "public_path", "display_text", "count"],
    &["evaluation_counters", "document", "snapshot", "live", "ledger", "explain", "wire"],
    &[
        "http_client",
        "regular_file",
        "time_limit",
        "thread_runtime",
        "flag_files",
        "auth",
        "store",
        "data_dir",
        "fd_limit",
        "convergence",
        "quota",
    ],
    &["control", "feeds", "reports", "webhook", "backup", "telemetry"],
    &["config", "http", "app", "cli"],
];

/// Imports that are allowed on the same floor.
const STAIRS: [(&str, &str); 27] = [
    ("wire", "ledger"),
    ("flag", "api"),
    ("auth", "http_client"),
    ("definition", "flag"),
    ("definition", "display_text"),
    ("clock", "moment"),
    ("document", "evaluation_counters"),
    ("snapshot", "evaluation_counters"),
    ("snapshot", "document"),
    ("live", "snapshot"),
    ("ledger", "snapshot"),
    ("store", "auth"),
    ("store", "fd_limit"),
    ("data_dir", "auth"),
    ("flag_files", "regular_file"),
    ("auth", "regular_file"),
    ("data_dir", "regular_file"),
    ("auth", "time_limit"),
    ("telemetry", "control"),
    // It reads what is committed, and reports problems with its deliveries.
    ("webhook", "control"),
    // It asks what a start would do, and whether a copy of the events is whole.
    ("backup", "control"),
    ("backup", "feeds"),
    ("config", "http"),
    ("app", "config"),
    ("app", "http"),
    ("cli", "app"),
    ("cli", "config"),
];

/// Crates and system modules that only the named modules may use.
const ROOMS: [(&str, &[&str]); 36] = [
    ("axum", &["http"]),
    ("hyper", &["http", "cli"]),
    ("hyper_util", &["http", "cli"]),
    ("tower_layer", &["http"]),
    ("tower_service", &["http"]),
    ("prometheus_client", &["telemetry"]),
    ("jsonwebtoken", &["auth"]),
    ("aws_lc_rs", &["auth"]),
    ("base64", &["auth", "feeds"]),
    ("reqwest", &["http_client", "auth", "webhook", "cli"]),
    // Elsewhere a client would follow the environment's proxies and certificates.
    ("Client::builder", &["http_client"]),
    ("Client::new", &["http_client"]),
    ("reqwest::get", &[]),
    ("notify", &["flag_files"]),
    ("rlimit", &["fd_limit"]),
    ("socket2", &["http"]),
    ("httpdate", &["http"]),
    ("clap", &["cli", "config"]),
    ("clap_complete", &["cli"]),
    ("jiff", &["cli"]),
    ("granit_parser", &["definition"]),
    ("annotate_snippets", &["definition"]),
    ("arc_swap", &["live", "control", "auth", "feeds"]),
    ("sqlx", &["store", "feeds"]),
    (
        "tokio",
        &[
            "time_limit",
            "thread_runtime",
            "live",
            "auth",
            "store",
            "control",
            "feeds",
            "webhook",
            "backup",
            "http",
            "app",
            "cli",
        ],
    ),
    (
        "std::fs",
        &["regular_file", "flag_files", "auth", "store", "data_dir", "feeds", "backup", "cli"],
    ),
    ("std::net", &["http_client", "data_dir", "webhook", "config", "http", "app", "cli"]),
    ("std::thread", &["time_limit", "thread_runtime", "flag_files", "telemetry", "app"]),
    ("std::env", &["telemetry", "config"]),
    ("std::process", &["cli"]),
    ("std::time::Instant", &["flag_files", "control", "clock"]),
    ("SystemTime::now", &["clock"]),
    ("getrandom", &["auth"]),
    ("rand", &[]),
    ("tracing", &["telemetry", "http", "app", "cli"]),
    ("tracing_subscriber", &["telemetry"]),
];

fn floor_of(module: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&module))
        .unwrap_or_else(|| panic!("`{module}` stands on no floor: add it to FLOORS"))
}

/// The code lines of every module, with the module's name and a position to report.
fn lines() -> Vec<(String, String, String)> {
    let mut lines = Vec::new();
    for source in sources::of_the_service() {
        let module = source.module();
        if module == "lib" {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                // To the others such a crate is one module, and so is each of its files.
                let line = match source.package.as_str() {
                    "turnout" | "turnout_core" => line.to_owned(),
                    _ => line.replace("crate::", &format!("crate::{module}::")),
                };
                let place = format!("{}:{}", source.place, number + 1);
                lines.push((module.to_owned(), place, line));
            }
        }
    }
    lines
}

/// A module that was moved away or renamed would be checked no longer, and no test would turn red.
#[test]
fn every_module_that_a_rule_names_is_there() {
    let there: BTreeSet<String> = lines().into_iter().map(|(module, _, _)| module).collect();
    let named = FLOORS
        .iter()
        .flat_map(|floor| floor.iter())
        .chain(STAIRS.iter().flat_map(|(from, to)| [from, to]))
        .chain(ROOMS.iter().flat_map(|(_, modules)| modules.iter()));
    let gone: BTreeSet<&&str> = named.filter(|module| !there.contains(**module)).collect();
    assert!(gone.is_empty(), "no source file belongs to these modules: {gone:?}");
}

#[test]
fn a_module_imports_only_from_floors_below() {
    let mut broken = Vec::new();
    for (module, place, line) in lines() {
        let names = line.match_indices("crate::").map(|(at, name)| at + name.len());
        let of_core = line.match_indices("turnout_core::").map(|(at, name)| at + name.len());
        let of_api = line.match_indices("turnout_api::").map(|(at, _)| at + "turnout_".len());
        for at in names.chain(of_core).chain(of_api) {
            let rest = &line[at..];
            let imported: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if imported.is_empty() || imported == module {
                continue;
            }
            let (mine, theirs) = (floor_of(&module), floor_of(&imported));
            let stairs = STAIRS.contains(&(module.as_str(), imported.as_str()));
            if theirs > mine || (theirs == mine && !stairs) {
                broken.push(format!(
                    "{place}: `{module}` (floor {mine}) imports `{imported}` (floor {theirs})"
                ));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn each_crate_is_used_only_in_its_modules() {
    let mut broken = Vec::new();
    for (module, place, line) in lines() {
        for (name, allowed) in ROOMS {
            let used = line.match_indices(name).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + name.len()..].chars().next();
                // A part of another crate may have a crate's name: `aws_lc_rs::rand`.
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
                    && (name.contains("::") || after == Some(':'))
            });
            if used && !allowed.contains(&module.as_str()) {
                broken.push(format!("{place}: `{name}` belongs to {allowed:?}"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_core_awaits_nothing() {
    let awaits = |line: &str| line.contains(".await") || line.contains("async ");
    let broken: Vec<String> = lines()
        .into_iter()
        .filter(|(module, _, line)| floor_of(module) <= 1 && awaits(line))
        .map(|(_, place, line)| format!("{place}: {line}"))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// One place prints and one logs: there text of unknown origin is made safe, and a new verb cannot
/// forget that.
#[test]
fn text_is_printed_and_logged_in_one_place_each() {
    let ways = ["println!", "print!(", "eprint", "io::stdout", "io::stderr", "write_all(", "dbg!"];
    let allowed = |place: &str| {
        place.starts_with("src/cli/output.rs:")
            || place.starts_with("src/telemetry/")
            || !place.starts_with("src/cli/")
    };
    // Output elsewhere goes to files and sockets.
    let everywhere = ["println!", "eprint", "io::stdout", "dbg!"];
    let broken: Vec<String> = lines()
        .into_iter()
        .filter(|(_, place, line)| {
            let named = |names: &[&str]| names.iter().any(|name| line.contains(name));
            !allowed(place) && named(&ways)
                || !place.starts_with("src/cli/output.rs:") && named(&everywhere)
        })
        .map(|(_, place, line)| format!("{place}: {line}"))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// A path may contain anything; the command line prints none unchanged.
#[test]
fn the_command_line_shows_paths_by_one_function() {
    let shows = |place: &str| {
        place.starts_with("src/cli/")
            || place.starts_with("src/telemetry/")
            || place.starts_with("crates/core/src/definition/")
    };
    let broken: Vec<String> = lines()
        .into_iter()
        .filter(|(_, place, line)| shows(place) && line.contains(".display()"))
        .map(|(_, place, line)| format!("{place}: {line}"))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
