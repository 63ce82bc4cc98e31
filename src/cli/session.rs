//! `turnout session`: a session for a user, to try things with. Only the session goes to stdout, so
//! that it can be written to a file.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value as Json, json};
use turnout_api::sessions::{NewSession, Session as Minted};

use super::attribute::attribute;
use super::feeds::{FeedArgs, FeedError, stream_name};
use super::http_client::{self, CliError};
use super::{Exit, print_error, print_note, printed, time};
use crate::flag::FlagKey;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    (umask 077; turnout session u-1 > u-1.session)\n  \
    turnout session u-1 --stream build-events/b-42 --for 10m > u-1.session\n  \
    TURNOUT_BEARER_FILE=u-1.session turnout follow build-events b-42\n\n\
    Applications get sessions with POST /v1/sessions and a server key.")]
pub struct Session {
    /// Who it is for: a targeting key
    user: String,

    /// A stream the user may read besides those that list the user; may be repeated
    #[arg(long = "stream", value_name = "FLAG/STREAM", value_parser = named_stream)]
    streams: Vec<(FlagKey, String)>,

    /// An attribute of the user, as a text; NAME:=JSON for a number or a boolean; may be repeated
    #[arg(long = "attr", value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, Json)>,

    /// How long it lives, at most 24h
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = time::parse)]
    life: i64,

    /// What the server says, as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    feed: FeedArgs,
}

impl Session {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, CliError> {
        let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (flag, stream) in &self.streams {
            streams.entry(flag.to_string()).or_default().push(stream.clone());
        }
        let attributes = self.attributes.iter().cloned();
        let body = NewSession {
            targeting_key: self.user.clone(),
            attributes: (!self.attributes.is_empty()).then(|| attributes.collect()),
            streams: (!streams.is_empty()).then_some(streams),
            ttl_ms: u64::try_from(self.life).ok(),
        };
        let client = self.feed.client()?;
        let sent = client.post("/v1/sessions", json!(body).to_string());
        let reply = http_client::runtime()?.block_on(sent);
        let reply = reply.map_err(|FeedError { error, .. }| error)?;
        let minted: Minted = client.read(&reply)?;
        let text = if self.json {
            String::from_utf8_lossy(&reply).trim_end().to_owned()
        } else {
            minted.session
        };
        if !printed(&format!("{text}\n")) {
            return Err(CliError::failed("the session could not be printed; make another"));
        }
        if !self.json {
            print_note(&format!(
                "it lives for {} s; its user sends it as `Authorization: Bearer`",
                minted.expires_in_ms / 1_000
            ));
        }
        Ok(Exit::Yes)
    }
}

fn named_stream(text: &str) -> Result<(FlagKey, String), String> {
    let (flag, stream) =
        text.split_once('/').ok_or("a stream is named with its flag, like build-events/b-42")?;
    let flag = flag.parse::<FlagKey>().map_err(|error| error.to_string())?;
    Ok((flag, stream_name(stream)?))
}
