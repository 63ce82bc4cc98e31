//! `turnout diff OLD NEW`: what changes in meaning between two folders of flags, and which buckets
//! move.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::output::print_lines;
use super::{Exit, count, print, print_error};
use crate::config::EvaluationArgs;
use crate::definition::{
    Changed, DefinitionSet, FlagChange, FolderDifference, Renamed, SegmentChange,
};
use crate::display_text;
use crate::flag::{Difference, Move, Moves, Share, Strategy};
use crate::flag_files::FlagsDir;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the same, 1 they differ or one has errors, 2 wrong usage, as where a folder is not there, 4 a folder could not be read."
)]
pub struct Diff {
    /// The folder of flags as it was
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The folder of flags as it is to be
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// One JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    deciding: EvaluationArgs,
}

impl Diff {
    pub fn run(&self) -> Exit {
        let internal_user_ids = match self.deciding.check() {
            Ok((ids, _)) => ids,
            Err(errors) => {
                errors.0.iter().for_each(|error| print_error(&display_text::line(error)));
                return Exit::Usage;
            }
        };
        let libraries = [&self.old, &self.new].map(|folder| read(folder, &internal_user_ids));
        let (old, new) = match &libraries {
            [Ok(old), Ok(new)] => (old, new),
            // Whether something was to be compared at all comes first.
            [old, new] => {
                let ends = [old, new].map(|read| read.as_ref().err().copied());
                let is = |exit| ends.contains(&Some(exit));
                return [Exit::Usage, Exit::Failed]
                    .into_iter()
                    .find(|exit| is(*exit))
                    .unwrap_or(Exit::No);
            }
        };
        let difference = FolderDifference::between(old, new);
        if self.json {
            print(&format!("{:#}\n", json(&difference)));
        } else {
            print_lines(&text(&difference, new));
        }
        if difference.is_none() { Exit::Yes } else { Exit::No }
    }
}

/// Reads a folder without errors; a folder with errors cannot be compared, and its errors are
/// printed.
fn read(folder: &Path, internal_user_ids: &[String]) -> Result<DefinitionSet, Exit> {
    if !folder.exists() {
        print_error(&format!(
            "{} does not exist; name two folders of flags",
            display_text::path(folder)
        ));
        return Err(Exit::Usage);
    }
    let contents = FlagsDir::new(folder, internal_user_ids.to_vec()).read();
    if let Some(why) = &contents.unreadable {
        print_error(&format!("{}; name two folders of flags", display_text::line(why)));
        return Err(Exit::Failed);
    }
    let mut definitions = DefinitionSet::default();
    let findings = definitions.update(&contents);
    let shown = |file: &str| display_text::path(&folder.join(file));
    findings.iter().for_each(|finding| print_error(&finding.line(shown)));
    if !findings.is_empty() {
        let errors = count(findings.len(), "error");
        print_error(&format!(
            "{} has {errors}; fix them first (turnout check {0})",
            display_text::path(folder)
        ));
        return Err(Exit::No);
    }
    Ok(definitions)
}

fn text(difference: &FolderDifference, new: &DefinitionSet) -> String {
    if difference.is_none() {
        let (flags, segments) =
            (count(new.flags().count(), "flag"), count(new.segments().count(), "segment"));
        return format!("no difference: {flags}, {segments}\n");
    }
    let mut text = String::new();
    for (key, changed) in &difference.flags {
        match changed {
            Changed::Added(shares) => {
                text.push_str(&format!("+ flag {key}: {}\n", shares_in_words(shares)));
            }
            Changed::Removed => text.push_str(&format!("- flag {key}\n")),
            Changed::Otherwise(FlagChange { differences, moves }) => {
                text.push_str(&format!("~ flag {key}\n"));
                differences.iter().for_each(|difference| text.push_str(&line(difference)));
                text.push_str(&moves_in_words(moves));
            }
        }
    }
    difference.renamed.iter().for_each(|renamed| text.push_str(&renamed_in_words(renamed)));
    for (key, changed) in &difference.segments {
        match changed {
            Changed::Added(_) => text.push_str(&format!("+ segment {key}\n")),
            Changed::Removed => text.push_str(&format!("- segment {key}\n")),
            Changed::Otherwise(SegmentChange { differences, named_by }) => {
                let flags: Vec<&str> = named_by.iter().map(|key| key.as_str()).collect();
                let flags = if flags.is_empty() { "no flag".to_owned() } else { flags.join(", ") };
                text.push_str(&format!("~ segment {key}, named by {flags}\n"));
                differences.iter().for_each(|difference| text.push_str(&line(difference)));
            }
        }
    }
    let (flags, segments) =
        (count(difference.flags.len(), "flag"), count(difference.segments.len(), "segment"));
    format!("{text}{flags}, {segments} differ\n")
}

fn line(Difference { what, before, after }: &Difference) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    format!(
        "    {}\n",
        display_text::line(&format!("{what} {} -> {}", shown(before), shown(after)))
    )
}

/// Says that a flag seems to be renamed, and what keeps its users' buckets.
fn renamed_in_words(Renamed { from, to, lost_salt }: &Renamed) -> String {
    let what = format!("{from} -> {to}: the same flag under another name");
    match lost_salt {
        None => format!("{what}; every user keeps the strategy\n"),
        Some(salt) => format!(
            "{what}?\n    add `salt: {salt}` to {to}.yaml, or 100% of users get another bucket\n"
        ),
    }
}

/// `polling 90%, realtime-v2 10%`.
fn shares_in_words(shares: &[(Strategy, Share)]) -> String {
    shares
        .iter()
        .map(|(strategy, share)| format!("{strategy} {share}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn moves_in_words(moves: &Moves) -> String {
    let one = |moved: &Move| {
        let (first, last) = (moved.buckets.start(), moved.buckets.end());
        format!(
            "    buckets {first}..{last} move {} -> {} ({})\n",
            moved.from,
            moved.to,
            moved.share()
        )
    };
    match moves {
        Moves::Buckets(moves) => moves.iter().map(one).collect(),
        Moves::Reshuffled(share) => {
            format!(
                "    every user is drawn anew: about {share} of those in the rollout get another strategy\n"
            )
        }
    }
}

fn json(difference: &FolderDifference) -> Json {
    let differences = |differences: &[Difference]| -> Vec<Json> {
        let one = |difference: &Difference| json!({ "what": difference.what, "before": difference.before, "after": difference.after });
        differences.iter().map(one).collect()
    };
    let flag = |(key, changed): &(_, Changed<FlagChange>)| match changed {
        Changed::Added(shares) => {
            let shares: Vec<Json> = shares
                .iter()
                .map(|(strategy, share)| json!({ "strategy": strategy.as_str(), "share": share.to_string() }))
                .collect();
            json!({ "flag": key_text(key), "change": "added", "shares": shares })
        }
        Changed::Removed => json!({ "flag": key_text(key), "change": "removed" }),
        Changed::Otherwise(change) => {
            let (name, moves) = match &change.moves {
                Moves::Buckets(moves) => ("moves", moves.iter().map(moved).collect::<Json>()),
                Moves::Reshuffled(share) => ("reshuffled", share.to_string().into()),
            };
            json!({
                "flag": key_text(key),
                "change": "changed",
                "differences": differences(&change.differences),
                name: moves,
            })
        }
    };
    let renamed = |renamed: &Renamed| {
        json!({
            "from": key_text(&renamed.from),
            "to": key_text(&renamed.to),
            "lostSalt": renamed.lost_salt.as_ref().map(key_text),
        })
    };
    let segment = |(key, changed): &(_, Changed<SegmentChange>)| match changed {
        Changed::Added(_) => json!({ "segment": key_text(key), "change": "added" }),
        Changed::Removed => json!({ "segment": key_text(key), "change": "removed" }),
        Changed::Otherwise(change) => json!({
            "segment": key_text(key),
            "change": "changed",
            "differences": differences(&change.differences),
            "namedBy": change.named_by.iter().map(key_text).collect::<Vec<_>>(),
        }),
    };
    let mut whole = Map::new();
    whole.insert("same".to_owned(), difference.is_none().into());
    whole.insert("flags".to_owned(), difference.flags.iter().map(flag).collect());
    whole.insert("segments".to_owned(), difference.segments.iter().map(segment).collect());
    if !difference.renamed.is_empty() {
        whole.insert("renamed".to_owned(), difference.renamed.iter().map(renamed).collect());
    }
    whole.into()
}

fn moved(moved: &Move) -> Json {
    json!({
        "firstBucket": moved.buckets.start(),
        "lastBucket": moved.buckets.end(),
        "from": moved.from.as_str(),
        "to": moved.to.as_str(),
        "share": moved.share().to_string(),
    })
}

fn key_text(key: &impl ToString) -> String {
    key.to_string()
}
