//! `turnout explain`: the story of one answer, told by the code that serves.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::{Exit, complain, print};
use crate::config::Deciding;
use crate::definition::{Library, render, similar, typed_value};
use crate::flag::{
    Bucket, Condition, Context, Definition, Flag, Identity, Part, Placement, Resolution, Segments, ServerAuth, Step, Strategy,
    TargetingKey, Trust, Truth, Value, Witness, evaluate_before, place,
};
use crate::folder::Folder;

#[derive(Debug, Args)]
pub struct Explain {
    /// The flag
    flag: String,

    /// The targeting key; left out, the story of somebody without one
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    user: String,

    /// A context attribute, read as the type the flag declares; may be repeated
    #[arg(long = "attr", value_name = "NAME=VALUE")]
    attributes: Vec<String>,

    /// Who vouches for the attributes
    #[arg(long, value_enum, default_value = "verified")]
    identity: IdentityName,

    /// Pretend that the user falls into this bucket
    #[arg(long, value_name = "0..99999")]
    bucket: Option<u32>,

    /// Explain from the files of this folder, without a server
    #[arg(long, value_name = "DIR")]
    files: PathBuf,

    /// One JSON object instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    deciding: Deciding,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IdentityName {
    /// A session token
    Verified,
    /// A server key
    Server,
    /// Nobody: a plain body
    Plain,
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

/// One step that was looked at.
#[derive(Debug)]
struct Seen {
    step: Step,
    index: Option<usize>,
    truth: Truth,
}

#[derive(Debug, Default)]
struct Story(Vec<Seen>);

impl Witness for Story {
    fn saw(&mut self, step: Step, index: Option<usize>, truth: Truth) {
        self.0.push(Seen { step, index, truth });
    }
}

impl Explain {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|(exit, message)| {
            complain(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, (Exit, String)> {
        let usage = |message: String| (Exit::Usage, message);
        let (internal_user_ids, server_auth) = self.deciding.check().map_err(|faults| usage(faults.to_string()))?;
        let key = TargetingKey::parse(&self.user).map_err(|error| usage(format!("--user: {error}")))?;
        let pretend = match self.bucket {
            Some(number) => Some(Bucket::new(number).ok_or_else(|| usage("--bucket: a bucket is 0 to 99999".to_owned()))?),
            None => None,
        };
        let flag = load(&self.files, &self.flag, internal_user_ids)?;
        let attributes = self.read_attributes(&flag.definition).map_err(usage)?;
        let context = Context::new(self.identity.into(), key, &attributes);
        let mut story = Story::default();
        let answer = evaluate_before(&flag, &context, server_auth, pretend, &mut story);
        let placement = match pretend {
            Some(bucket) => Some(Placement { hash: None, bucket }),
            None => place(&flag.definition, &context),
        };
        let telling = Telling { flag: &flag, context: &context, answer, placement, server_auth };
        print(&if self.json { format!("{}\n", telling.json(&story)) } else { telling.text(&story) });
        Ok(Exit::Yes)
    }

    fn read_attributes(&self, definition: &Definition) -> Result<Vec<(Cow<'static, str>, Value<'static>)>, String> {
        self.attributes
            .iter()
            .map(|pair| {
                let (name, text) = pair.split_once('=').ok_or("--attr: write NAME=VALUE")?;
                let kind = definition.attributes.iter().find(|(other, _)| other.as_str() == name).map(|(_, kind)| kind);
                Ok((Cow::Owned(name.to_owned()), typed_value(text, true, kind, name)))
            })
            .collect()
    }
}

/// The flag as a server that read this folder would have it.
fn load(files: &Path, key: &str, internal_user_ids: Vec<String>) -> Result<Flag, (Exit, String)> {
    let contents = Folder::new(files, internal_user_ids).read();
    if let Some(why) = &contents.unreadable {
        return Err((Exit::Usage, format!("--files: {why}")));
    }
    let mut library = Library::default();
    let findings = library.update(&contents);
    let keys: Vec<&str> = library.flags().map(|(key, _)| key.as_str()).collect();
    let Some((_, form)) = library.flags().find(|(other, _)| other.as_str() == key) else {
        let hint = match similar(key, keys.iter().copied()) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None => format!("; there is no file {}", files.join(format!("{key}.yaml")).display()),
        };
        return Err((Exit::No, format!("no flag `{key}`{hint}")));
    };
    let Some((definition, segments)) = form else {
        let shown = |file: &str| files.join(file).display().to_string();
        let of_flag = findings.iter().filter(|finding| *finding.file == *format!("{key}.yaml"));
        let drawn: Vec<String> = of_flag.map(|finding| render(finding, &contents, shown, false)).collect();
        return Err((
            Exit::No,
            format!("`{key}` has no good form: a server would answer `polling` by `error`\n\n{}", drawn.join("\n\n")),
        ));
    };
    Ok(Flag::as_written(definition, segments))
}

/// One answer and all that led to it.
struct Telling<'a> {
    flag: &'a Flag,
    context: &'a Context<'a>,
    answer: Resolution,
    placement: Option<Placement>,
    server_auth: ServerAuth,
}

impl Telling<'_> {
    fn json(&self, story: &Story) -> Json {
        let step = |seen: &Seen| {
            json!({
                "step": seen.step.as_str(),
                "entry": seen.index.map(|index| index + 1),
                "name": self.rule_name(seen),
                "result": result(seen.truth),
                "attributes": self.culprits(seen),
            })
        };
        json!({
            "flag": self.flag.definition.key.as_str(),
            "strategy": self.answer.strategy.as_str(),
            "reason": self.answer.reason.as_str(),
            "rule": self.answer.step.as_str(),
            "bucket": self.placement.map(|placement| placement.bucket.number()),
            "hash": self.placement.and_then(|placement| placement.hash),
            "steps": self.told(story).map(step).collect::<Vec<_>>(),
        })
    }

    fn text(&self, story: &Story) -> String {
        let mut text = format!("{}   rule {}, reason {}\n", self.answer.strategy, self.answer.step, self.answer.reason);
        text.push_str(&self.bucket_line());
        for seen in self.told(story) {
            let name = match (self.rule_name(seen), seen.index) {
                (Some(name), _) => format!("rule {name}"),
                (None, Some(index)) => format!("{} {}", seen.step, index + 1),
                (None, None) => seen.step.to_string(),
            };
            let why = match (seen.truth, self.culprits(seen)) {
                (Truth::Missing, names) => format!("no: {} missing", quoted(&names)),
                (Truth::Error, names) if names.is_empty() => "a segment it names has no good form".to_owned(),
                (Truth::Error, names) => format!("{} of another type than declared", quoted(&names)),
                (Truth::False, _) => "no".to_owned(),
                (Truth::True, _) => format!("yes: {}", self.answer.strategy),
            };
            let arrow = if self.decided(seen) { "->" } else { "  " };
            text.push_str(&format!("{arrow} {name:<20} {why}\n"));
        }
        text
    }

    fn bucket_line(&self) -> String {
        let Some(Placement { hash, bucket }) = self.placement else {
            return "no usable unit: no bucket\n".to_owned();
        };
        let hash =
            hash.map_or_else(|| "pretended".to_owned(), |hash| format!("hash {hash}, salt {}", self.flag.definition.salt));
        let shares = match self.flag.rollout {
            None => "no rollout".to_owned(),
            Some(split) => {
                let default = Strategy::from(self.flag.definition.default);
                let disabled = if split.disabled().millipercent() > 0 {
                    format!("disabled the last {}, ", split.disabled())
                } else {
                    String::new()
                };
                format!("realtime-v2 has the first {}, {disabled}{default} the rest", split.realtime())
            }
        };
        format!("bucket {} ({hash}): {shares}\n", bucket.number())
    }

    /// The clamp is part of the story only where it can act.
    fn told<'s>(&self, story: &'s Story) -> impl Iterator<Item = &'s Seen> {
        let clamps = self.server_auth == ServerAuth::WithoutHandOff;
        story.0.iter().filter(move |seen| clamps || seen.step != Step::ServerAuth)
    }

    fn decided(&self, seen: &Seen) -> bool {
        match seen.truth {
            Truth::True => seen.step == self.answer.step,
            Truth::Error => self.answer.step == Step::Error,
            Truth::False | Truth::Missing => false,
        }
    }

    fn rule_name(&self, seen: &Seen) -> Option<&str> {
        let index = seen.index.filter(|_| seen.step == Step::Rule)?;
        self.flag.definition.rules.get(index).map(|rule| rule.name.as_str())
    }

    /// The attributes that made a condition missing or an error.
    fn culprits(&self, seen: &Seen) -> Vec<&str> {
        let definition = &*self.flag.definition;
        let (Some(index), Truth::Missing | Truth::Error) = (seen.index, seen.truth) else { return Vec::new() };
        let when = match seen.step {
            Step::Deny => definition.deny.get(index).and_then(|entry| entry.when.as_ref()),
            Step::Allow => definition.allow.get(index).and_then(|entry| entry.when.as_ref()),
            _ => definition.rules.get(index).map(|rule| &rule.when),
        };
        let trust = if seen.step == Step::Deny { Trust::Any } else { Trust::Verified };
        let mut names = Vec::new();
        if let (Some(when), Segments::Known(_)) = (when, &self.flag.segments) {
            self.collect(when, trust, seen.truth, &mut names);
        }
        names
    }

    fn collect<'d>(&self, when: &'d Condition, trust: Trust, truth: Truth, names: &mut Vec<&'d str>) {
        let Segments::Known(segments) = &self.flag.segments else { return };
        for part in &when.parts {
            match part {
                Part::Attribute { name, .. } if part.truth(self.context, segments, trust) == truth => names.push(name.as_str()),
                Part::Not(inner) => self.collect(inner, trust, truth, names),
                Part::Attribute { .. } | Part::Segment(_) => {}
            }
        }
    }
}

fn result(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "yes",
        Truth::False => "no",
        Truth::Missing => "missing",
        Truth::Error => "error",
    }
}

fn quoted(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}` is"),
        many => format!("{} are", many.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}
