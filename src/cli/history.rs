//! `turnout history`: what was changed, by whom and why; and whether anybody tampered with it.

use clap::Args;
use turnout_api::admin::flags::FlagState;
use turnout_api::admin::history::{Change, History as Page, Revision, SubjectKind, VerifyReport};

use super::answer::Answer;
use super::colours::print_screen;
use super::http_client::CliError;
use super::remote::ServerArgs;
use super::table::table;
use super::width::width;
use super::words::change;
use super::wrap::lines_of;
use super::{Exit, count, output, print, print_error, print_note, time};
use crate::flag::FlagKey;

#[derive(Debug, Args)]
pub struct History {
    /// Only what changed this flag
    flag: Option<FlagKey>,

    /// How many revisions at most
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,

    /// Only revisions before this one
    #[arg(long, value_name = "REV", value_parser = revision)]
    before: Option<u64>,

    /// Whether any row was altered; exit code 1 if so
    #[arg(long, conflicts_with = "flag", conflicts_with = "before")]
    verify: bool,

    /// What the server says, as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: ServerArgs,
}

/// A revision as it is typed.
pub fn revision(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "a revision is a whole number, like 12; turnout history lists them")
}

impl History {
    pub fn run(&self) -> Exit {
        let shown = if self.verify { self.verify() } else { self.show() };
        shown.unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    fn show(&self) -> Result<Exit, CliError> {
        let mut path = format!("/v1/history?limit={}", self.limit);
        if let Some(flag) = &self.flag {
            // A mistyped flag is reported as such, not as a flag to which nothing happened.
            self.remote.get::<FlagState>(&format!("/v1/flags/{flag}"))?;
            path.push_str(&format!("&flag={flag}"));
        }
        if let Some(before) = self.before {
            path.push_str(&format!("&before={before}"));
        }
        let Answer { json, read: Page { revisions, more } } = self.remote.get(&path)?;
        match (self.json, &*revisions) {
            (true, _) => print(&format!("{json}\n")),
            (false, []) => print_note("no revision"),
            (false, revisions) => {
                let head = format!("REV  WHEN ({})  WHO  CHANGE", time::zone());
                let columns = columns_of_changes(&head, revisions);
                let rows: Vec<[String; 4]> = revisions
                    .iter()
                    .flat_map(|revision| rows(revision, self.flag.as_ref(), columns))
                    .collect();
                print_screen(&table(&head, &rows));
            }
        }
        if let (true, false, Some(last)) = (more, self.json, revisions.last()) {
            let flag = self.flag.as_ref().map(|flag| format!(" {flag}")).unwrap_or_default();
            print_note(&format!("older ones: turnout history{flag} --before {}", last.revision));
        }
        Ok(Exit::Yes)
    }

    fn verify(&self) -> Result<Exit, CliError> {
        let reply = self.remote.open()?.get_when_done::<VerifyReport>("/v1/history/verify")?;
        let report = &reply.read;
        let read = count(usize::try_from(report.revisions).unwrap_or(usize::MAX), "revision");
        let compared = match report.compared_with_revision {
            Some(revision) => format!("compared with revision {revision} as this server saw it"),
            None => "this server has not saved a revision yet to compare with".to_owned(),
        };
        if self.json {
            print(&format!("{}\n", reply.json));
        } else if report.faults.is_empty() {
            print_screen(&format!(
                "unaltered: {read} read, each is what its hash says\n  {compared}\n"
            ));
        } else {
            let errors = report.faults.iter().map(|fault| format!("  {fault}\n"));
            let errors = errors.collect::<String>();
            print_screen(&format!("NOT SOUND: {read} read\n  {compared}\n{errors}"));
        }
        Ok(if report.sound { Exit::Yes } else { Exit::No })
    }
}

/// How many columns the terminal has for what was changed: beside number, time and name, or below them
/// where too little is left; `None` where there is no width.
fn columns_of_changes(head: &str, revisions: &[Revision]) -> Option<usize> {
    const FEWEST: usize = 24;
    const GAP: usize = 2;
    let columns = output::columns()?;
    let names: Vec<&str> = head.split("  ").collect();
    let widest = |cells: &mut dyn Iterator<Item = String>, name: usize| {
        let name = names.get(name).copied().unwrap_or_default().to_owned();
        cells.chain([name]).map(|cell| width(&cell)).max().unwrap_or_default() + GAP
    };
    let own = widest(&mut revisions.iter().map(|revision| revision.revision.to_string()), 0)
        + widest(
            &mut revisions.iter().map(|revision| time::in_a_column(revision.committed_at_ms)),
            1,
        )
        + widest(&mut revisions.iter().map(|revision| revision.actor.clone()), 2);
    let beside = columns.checked_sub(own).filter(|left| *left >= FEWEST);
    Some(beside.unwrap_or_else(|| columns.saturating_sub(GAP)))
}

/// A row for each change, and one for the reason, broken where they have more columns than there are; the
/// revision's own cells stand in its first row. Where one flag is asked about, what was done to
/// others at once is left out.
fn rows(revision: &Revision, flag: Option<&FlagKey>, columns: Option<usize>) -> Vec<[String; 4]> {
    const MOST: usize = 12;
    let is_asked = |change: &&Change| {
        change.kind != SubjectKind::Flag || flag.is_none_or(|flag| flag.as_str() == change.key)
    };
    let changes: Vec<&Change> = revision.changes.iter().filter(is_asked).collect();
    let mut lines: Vec<String> = changes.iter().take(MOST).map(|one| change(one)).collect();
    let more = revision
        .more_changes
        .filter(|_| flag.is_none())
        .unwrap_or_default()
        .saturating_add(changes.len().saturating_sub(MOST) as u64);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    if let Some(reason) = &revision.reason {
        lines.push(format!("  {reason}"));
    }
    let lines = lines.into_iter().flat_map(|line| match columns {
        Some(columns) => lines_of(&line, columns),
        None => vec![line],
    });
    let own = |index: usize, text: String| if index == 0 { text } else { String::new() };
    let row = |(index, change): (usize, String)| {
        [
            own(index, revision.revision.to_string()),
            own(index, time::in_a_column(revision.committed_at_ms)),
            own(index, revision.actor.clone()),
            change,
        ]
    };
    lines.enumerate().map(row).collect()
}
