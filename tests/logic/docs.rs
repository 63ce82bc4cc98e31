//! The tables of settings and calls in docs/ are generated: which rows there are, their order and
//! what the code knows of each. The other cells are written by hand and kept.
//! `TURNOUT_WRITE_DOCS=1 cargo test --test logic docs::` writes the tables anew.

use std::collections::BTreeSet;
use std::{env, fs};

use clap::Command;
use turnout::cli::command_line;
use turnout::http::{admin_document, permissions, public_document};

/// One cell of a row.
enum Cell {
    /// What the code says.
    Code(String),
    /// Written by hand; this is what stands in a new row until then.
    Prose(String),
}

use Cell::{Code, Prose};

#[test]
fn the_table_of_settings_is_what_the_command_line_takes() {
    let rows = settings(&command_line());
    assert!(rows.len() > 30, "{} settings", rows.len());
    check("docs/SETTINGS.md", &[("settings", rows)]);
}

#[test]
fn the_tables_of_calls_are_what_the_listeners_serve() {
    let document = public_document();
    let mut public = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let summary = operation["summary"].as_str().unwrap().to_owned();
            let call = Code(format!("`{} {path}`", method.to_uppercase()));
            public.push(vec![call, Prose(String::new()), Prose(summary)]);
        }
    }
    let row = |(method, path, permission): &(&str, &str, &str)| {
        let call = Code(format!("`{} {path}`", method.to_uppercase()));
        vec![call, Code((*permission).to_owned()), Prose(String::new())]
    };
    let admin: Vec<_> = permissions().iter().map(row).collect();
    assert!(public.len() > 10 && admin.len() > 15, "{} and {} calls", public.len(), admin.len());
    check("docs/HTTP.md", &[("public calls", public), ("admin calls", admin)]);
}

/// What the listeners promise is committed, so that a changed contract shows in a diff.
#[test]
fn both_contracts_are_the_committed_ones() {
    for (place, document) in [
        ("docs/openapi/public.json", public_document()),
        ("docs/openapi/admin.json", admin_document()),
    ] {
        let wanted = format!("{document:#}\n");
        if env::var_os("TURNOUT_WRITE_DOCS").is_some() {
            fs::write(place, &wanted).unwrap();
        }
        let committed = fs::read_to_string(place).unwrap_or_default();
        assert!(
            committed == wanted,
            "{place} differs from what is served; TURNOUT_WRITE_DOCS=1 cargo test --test logic docs:: writes it"
        );
    }
}

#[test]
fn only_what_is_written_by_hand_is_kept() {
    let page = "before\n\n<!-- generated: x -->\n| a | b | c |\n|---|---|---|\n\
                | `gone` | 1 | by hand |\n| `two` | altered | two, by hand |\n<!-- end -->\nafter\n";
    let row =
        |key: &str| vec![Code(format!("`{key}`")), Code("1".to_owned()), Prose("new".to_owned())];
    let wanted = "before\n\n<!-- generated: x -->\n| a | b | c |\n|---|---|---|\n\
                  | `one` | 1 | new |\n| `two` | 1 | two, by hand |\n<!-- end -->\nafter\n";
    assert_eq!(generated(page, "x", &[row("one"), row("two")]).unwrap(), wanted);
    assert!(generated(page, "y", &[]).is_none());
}

/// What `serve` takes, and what other commands take from the environment.
fn settings(turnout: &Command) -> Vec<Vec<Cell>> {
    let mut commands: Vec<&Command> = turnout.get_subcommands().collect();
    commands.sort_by_key(|command| command.get_name() != "serve");
    let (mut rows, mut seen) = (Vec::new(), BTreeSet::new());
    for command in commands {
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long().map(|long| format!("`--{long}`")) else {
                continue;
            };
            let variable = argument.get_env().map(|name| format!("`{}`", name.to_string_lossy()));
            let of_serve = command.get_name() == "serve" && flag != "`--help`";
            if !(of_serve || variable.is_some()) || !seen.insert(flag.clone()) {
                continue;
            }
            let default = match argument.get_default_values() {
                [value] if !value.is_empty() => Code(format!("`{}`", value.to_string_lossy())),
                _ if argument.get_action().takes_values() => Prose("none".to_owned()),
                _ => Code(String::new()),
            };
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            rows.push(vec![Code(flag), Code(variable.unwrap_or_default()), default, Prose(help)]);
        }
    }
    rows
}

/// One test checks all tables of a page, as it may write the page.
fn check(page: &str, tables: &[(&str, Vec<Vec<Cell>>)]) {
    let path = format!("{}/{page}", env!("CARGO_MANIFEST_DIR"));
    let found = fs::read_to_string(&path).unwrap();
    let wanted = tables.iter().fold(found.clone(), |text, (name, rows)| {
        generated(&text, name, rows)
            .unwrap_or_else(|| panic!("{page} has no table between `{}` and `{END}`", begin(name)))
    });
    if found == wanted {
        return;
    }
    if env::var_os("TURNOUT_WRITE_DOCS").is_some() {
        return fs::write(path, wanted).unwrap();
    }
    let differ = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    panic!(
        "a table of {page} is not what the code says; it is written anew by \
         `TURNOUT_WRITE_DOCS=1 cargo test --test logic docs::`\n{differ:#?}"
    );
}

const END: &str = "<!-- end -->";

fn begin(name: &str) -> String {
    format!("<!-- generated: {name} -->\n")
}

/// The page with these rows in the table of this name; `None` if the page has no such table.
fn generated(page: &str, name: &str, rows: &[Vec<Cell>]) -> Option<String> {
    let (before, rest) = page.split_once(&begin(name))?;
    let (table, after) = rest.split_once(END)?;
    let mut lines = table.lines();
    let mut text = format!("{before}{}{}\n{}\n", begin(name), lines.next()?, lines.next()?);
    let found: Vec<Vec<&str>> = lines.map(cells).collect();
    for row in rows {
        let Some(Code(key)) = row.first() else { panic!("a row begins with what the code says") };
        let kept = found.iter().find(|cells| cells.first() == Some(&key.as_str()));
        for (column, cell) in row.iter().enumerate() {
            let words = match cell {
                Code(words) => words,
                Prose(new) => kept.and_then(|cells| cells.get(column).copied()).unwrap_or(new),
            };
            text += "| ";
            if !words.is_empty() {
                text += words;
                text += " ";
            }
        }
        text += "|\n";
    }
    Some(text + END + after)
}

/// The cells of a row, without the spaces around them. A `\|` divides nothing.
fn cells(line: &str) -> Vec<&str> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    let (mut cells, mut start) = (Vec::new(), 0);
    for (at, _) in line.match_indices('|').filter(|(at, _)| !line[..*at].ends_with('\\')) {
        cells.push(line[start..at].trim());
        start = at + 1;
    }
    cells.push(line[start..].trim());
    cells
}
