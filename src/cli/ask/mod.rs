//! `turnout ask`: a small client of the public listener, for people and for tests. It asks once, or
//! follows what holds for one user as a client of an application would.
//!
//! | file | what it decides |
//! |---|---|
//! | `client` | how a question is sent, and for which user |
//! | `follow` | when a stream is opened, when the client polls instead, what is shown |
//! | `stream` | what the events of one stream mean, and what is acknowledged |
//! | `advice` | what a client does when its document changed |

mod advice;
mod client;
mod follow;
mod reconnect;
mod stream;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value as Json, json};
use tokio::signal::unix::{SignalKind, signal};

use super::answer::Answer;
use super::attribute::{attribute, named_once};
use super::http_client::{self, CliError, Target};
use super::listener::{self, Listener};
use super::output::print_lines;
use super::{Exit, output, print, print_error, print_note};
use crate::flag::FlagKey;
use client::StrategyClient;
use follow::StrategyFollower;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    turnout ask build-events --user u-1 --attr platform=web\n  \
    turnout ask build-events --user u-1 -w\n  \
    turnout ask build-events --bearer-file session.jwt -w\n\n\
    It asks the public listener as a client does; `turnout explain` tells operators why. With -w it ends by Ctrl-C alone: it comes back when the stream breaks, and polls while there is none.")]
pub struct Ask {
    /// The flag
    flag: FlagKey,

    /// The targeting key; left out, the user of a session token, or a user without a key
    #[arg(long, value_name = "KEY")]
    user: Option<String>,

    /// A context attribute, as a text; NAME:=JSON for a number or a boolean; may be repeated
    #[arg(long = "attr", value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, Json)>,

    /// Print each change as it comes, and acknowledge it
    #[arg(long, short)]
    watch: bool,

    /// The document as JSON; with -w one JSON object a line
    #[arg(long)]
    json: bool,

    /// The public listener of the server to ask; unless said, the one in `addresses.json` of the
    /// data folder, or http://127.0.0.1:7070
    #[arg(long, value_name = "URL", env = "TURNOUT_URL")]
    url: Option<String>,

    /// The data folder of a server on this machine
    #[arg(long = "data", value_name = "DIR", env = "TURNOUT_DATA", default_value = "./data")]
    data: PathBuf,

    /// A file with a session token or a server key to ask with (not the token of operators); it is
    /// read anew for each question
    #[arg(long, value_name = "FILE", env = "TURNOUT_BEARER_FILE")]
    bearer_file: Option<PathBuf>,
}

impl Ask {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, CliError> {
        let runtime = http_client::runtime()?;
        let url = listener::url(self.url.as_deref(), &self.data, Listener::Public)?;
        let client = StrategyClient {
            client: Target::parse(&url)?.client()?,
            url: url.trim_end_matches('/').to_owned(),
            flag: self.flag.clone(),
            question: self.question()?,
            bearer_file: self.bearer_file.clone(),
        };
        if self.watch {
            runtime.block_on(self.follow(client))
        } else {
            runtime.block_on(self.once(client))
        }
    }

    async fn once(&self, client: StrategyClient) -> Result<Exit, CliError> {
        let (Answer { json, read }, mistyped) = match client.ask().await {
            Ok(answer) => (answer.document, answer.error_attribute),
            Err(refused) => return Err(client.with_hint(refused.error).await),
        };
        if self.json {
            print(&format!("{json}\n"));
        } else {
            print_lines(&format!("{}   rule {}\n", read.strategy, read.rule));
        }
        if let Some(name) = mistyped {
            print_note(&self.of_another_type(&name));
        }
        Ok(Exit::Yes)
    }

    /// What to type for an attribute that the flag declares as another type.
    fn of_another_type(&self, name: &str) -> String {
        let typed = self.attributes.iter().find(|(typed, _)| typed == name);
        let cure = match typed {
            Some((_, value)) if !value.is_string() => {
                format!("{name}:={value} is no text; write {name}={value} for a text")
            }
            _ => format!("write {name}:=5 or {name}:=true for what is not a text"),
        };
        format!("`{name}` is of another type than the flag declares; {cure}")
    }

    /// Runs until a person ends it, or the reader of the output leaves.
    async fn follow(&self, client: StrategyClient) -> Result<Exit, CliError> {
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return Err(CliError::failed("cannot listen for signals"));
        };
        tokio::select! {
            ended = StrategyFollower::new(&client, self.json).run() => ended.map(|()| Exit::Yes),
            _ = terminate.recv() => Ok(Exit::Yes),
            _ = interrupt.recv() => Ok(Exit::Yes),
            () = output::reader_left() => Ok(Exit::Yes),
        }
    }

    /// The body to ask with; `None` where the token says who asks.
    fn question(&self) -> Result<Option<Json>, CliError> {
        if self.user.is_none() && self.attributes.is_empty() && self.bearer_file.is_some() {
            return Ok(None);
        }
        let attributes = named_once(&self.attributes).map_err(CliError::usage)?;
        let mut question = Map::new();
        if let Some(user) = &self.user {
            question.insert("targetingKey".to_owned(), json!(user));
        }
        if !attributes.is_empty() {
            question.insert("attributes".to_owned(), attributes.into());
        }
        Ok(Some(question.into()))
    }
}
