//! `turnout explain`: the explanation of one evaluation, by the running server, or offline from
//! files.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value as Json, json};
use turnout_api::admin::explain::LiveExplanation;
use turnout_api::admin::flags::Overrides;

use super::answer::Answer;
use super::attribute::{attribute, named_once};
use super::output::{note_columns, print_lines};
use super::remote::ServerArgs;
use super::{Exit, print, print_error, words};
use crate::config::EvaluationArgs;
use crate::definition::{DefinitionSet, render, similar};
use crate::display_text;
use crate::explain;
use crate::flag::{Bucket, Context, Flag, FlagKey, Identity, TargetingKey, Value};
use crate::flag_files::FlagsDir;

#[derive(Debug, Args)]
#[command(after_help = "Asks the running server, unless --files names a folder to explain from.")]
pub struct Explain {
    /// The flag
    flag: FlagKey,

    /// The targeting key; left out, a user without one
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    user: String,

    /// A context attribute as a client sends it: a text, or NAME:=JSON; may be repeated
    #[arg(long = "attr", value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, Json)>,

    /// Who vouches for the attributes
    #[arg(long, value_enum, default_value = "verified")]
    identity: IdentityName,

    /// Pretend that the user falls into this bucket
    #[arg(long, value_name = "0..99999")]
    bucket: Option<u32>,

    /// Explain from the files of this folder, without a server
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,

    /// One JSON object instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: ServerArgs,

    #[command(flatten)]
    deciding: EvaluationArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IdentityName {
    /// A session token
    Verified,
    /// A server key
    Server,
    /// No credential: a plain body
    Plain,
}

impl IdentityName {
    fn as_str(self) -> &'static str {
        match self {
            IdentityName::Verified => "verified",
            IdentityName::Server => "server",
            IdentityName::Plain => "plain",
        }
    }
}

impl From<IdentityName> for Identity {
    fn from(name: IdentityName) -> Identity {
        match name {
            IdentityName::Verified => Identity::Verified,
            IdentityName::Server => Identity::Server,
            IdentityName::Plain => Identity::Plain,
        }
    }
}

impl Explain {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|(exit, message)| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, (Exit, String)> {
        let usage = |message: String| (Exit::Usage, message);
        let key =
            TargetingKey::parse(&self.user).map_err(|error| usage(format!("--user: {error}")))?;
        let pretend = match self.bucket {
            Some(number) => Some(
                Bucket::new(number)
                    .ok_or_else(|| usage("--bucket: a bucket is 0 to 99999".to_owned()))?,
            ),
            None => None,
        };
        let named = named_once(&self.attributes).map_err(usage)?;
        let Some(files) = &self.files else { return self.ask_server(&named) };
        let (internal_user_ids, server_auth) = self
            .deciding
            .check()
            .map_err(|errors| usage(display_text::line(&errors.0.join("; ")).into_owned()))?;
        let (flag, why_not_live) = load(files, self.flag.as_str(), internal_user_ids)?;
        let attributes: Vec<_> = self
            .attributes
            .iter()
            .map(|(name, value)| (Cow::from(name.as_str()), Value::from(value)))
            .collect();
        let context = Context::new(self.identity.into(), key, &attributes);
        let mut story = explain::explain(&flag, &context, server_auth, pretend);
        story.notes.extend(why_not_live);
        if self.json {
            print(&format!("{}\n", json!(story)));
        } else {
            print_lines(&explain::text(&story));
        }
        Ok(Exit::Yes)
    }

    fn ask_server(&self, attributes: &Map<String, Json>) -> Result<Exit, (Exit, String)> {
        let asked = json!({
            "targetingKey": self.user, "attributes": attributes, "identity": self.identity.as_str(), "bucket": self.bucket,
        });
        let path = format!("/v1/flags/{}/explain", self.flag);
        let Answer { json, read } = self.remote.post::<LiveExplanation>(&path, &asked)?;
        if self.json {
            print(&format!("{json}\n"));
        } else {
            print_lines(&format!("{}{}", explain::text(&read.explanation), held(&read)));
        }
        Ok(Exit::Yes)
    }
}

/// The flag as its file says, and what keeps a server from taking that file: its tests may fail.
fn load(
    files: &Path,
    key: &str,
    internal_user_ids: Vec<String>,
) -> Result<(Flag, Option<String>), (Exit, String)> {
    let contents = FlagsDir::new(files, internal_user_ids).read();
    if let Some(why) = &contents.unreadable {
        return Err((Exit::Usage, format!("--files: {}", display_text::line(why))));
    }
    let mut definitions = DefinitionSet::default();
    let findings = definitions.update(&contents);
    let keys: Vec<&str> = definitions.flags().map(|(key, _)| key.as_str()).collect();
    let Some((_, live)) = definitions.flags().find(|(other, _)| other.as_str() == key) else {
        let hint = match similar(key, keys.iter().copied()) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None => format!(
                "; there is no file {}",
                display_text::path(&files.join(format!("{key}.yaml")))
            ),
        };
        return Err((Exit::No, format!("no flag `{key}`{hint}")));
    };
    let Some((definition, segments)) = definitions.as_its_file_says(key) else {
        let shown = |file: &str| files.join(file).to_string_lossy().into_owned();
        let of_flag = findings.iter().filter(|finding| *finding.file == *format!("{key}.yaml"));
        let drawn: Vec<String> = of_flag
            .map(|finding| render(finding, &contents, shown, false, note_columns()))
            .collect();
        return Err((
            Exit::No,
            format!(
                "`{key}` has no good form: a server would answer `polling` by `error`\n\n{}",
                drawn.join("\n\n")
            ),
        ));
    };
    let file = display_text::path(&files.join(format!("{key}.yaml")));
    let why_not_live = live.is_none().then(|| {
        format!("a server does not take this file as it is: turnout check {file} says why")
    });
    Ok((Flag::as_written(definition, segments), why_not_live))
}

/// The revision the explanation is of, and who holds an override.
fn held(LiveExplanation { position, overrides, .. }: &LiveExplanation) -> String {
    let Overrides { stop, held, pin } = overrides;
    let held = held.as_ref().map(|held| &held.mark);
    let pin = pin.as_ref().map(|pin| &pin.mark);
    let marks =
        [("stopped", stop.as_ref()), ("rollout held", held), ("earlier definition held", pin)];
    let marks = marks.into_iter().filter_map(|(what, mark)| {
        let mark = words::mark(mark?);
        Some(format!("; {what} by {mark}"))
    });
    format!("revision {position}{}\n", marks.collect::<String>())
}
