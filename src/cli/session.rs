//! `turnout session`: a session for a user, to try things with, and the end of all sessions of a user.
//! Only the session goes to stdout, so that it can be written to a file.

use std::collections::BTreeMap;

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use turnout_api::sessions::{NewSession, RevokeSessions, Session as Minted, SessionsRevoked};

use super::attribute::{named_once, plain_attribute};
use super::feeds::{FeedArgs, FeedError, stream_name};
use super::http_client::{self, CliError};
use super::{Exit, print, print_error, print_note, time};
use crate::auth::MAX_SESSION_TTL_MS;
use crate::flag::{FlagKey, MAX_UNIT_BYTES};

/// The shortest life of a session, in milliseconds.
const MIN_LIFE_MS: u64 = 1_000;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    (umask 077; turnout session u-1 > u-1.session)\n  \
    turnout session u-1 --stream build-events/b-42 --for 10m > u-1.session\n  \
    TURNOUT_BEARER_FILE=u-1.session turnout follow build-events b-42\n  \
    turnout session u-1 --revoke\n\n\
    Applications get sessions with POST /v1/sessions and a server key.")]
pub struct Session {
    /// Who it is for: a targeting key
    #[arg(value_parser = user)]
    user: String,

    /// A stream the user may read besides those that list the user; may be repeated
    #[arg(long = "stream", value_name = "FLAG/STREAM", value_parser = named_stream)]
    streams: Vec<(FlagKey, String)>,

    /// An attribute of the user, as a text; NAME:=JSON for a number or a boolean; may be repeated
    #[arg(long = "attr", value_name = "NAME=VALUE", value_parser = plain_attribute)]
    attributes: Vec<(String, Json)>,

    /// How long it lives, at most 24h
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = life)]
    life: i64,

    /// Refuse every session that the user has until now; the user may sign in again
    #[arg(
        long,
        conflicts_with = "streams",
        conflicts_with = "attributes",
        conflicts_with = "life"
    )]
    revoke: bool,

    /// What the server says, as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    feed: FeedArgs,
}

impl Session {
    pub fn run(&self) -> Exit {
        let done = if self.revoke { self.revoked() } else { self.minted() };
        done.unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    fn minted(&self) -> Result<Exit, CliError> {
        let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (flag, stream) in &self.streams {
            streams.entry(flag.to_string()).or_default().push(stream.clone());
        }
        let attributes = named_once(&self.attributes).map_err(CliError::usage)?;
        let body = NewSession {
            targeting_key: self.user.clone(),
            attributes: (!attributes.is_empty()).then(|| attributes.into_iter().collect()),
            streams: (!streams.is_empty()).then_some(streams),
            ttl_ms: u64::try_from(self.life).ok(),
        };
        let (reply, minted): (_, Minted) = self.post("/v1/sessions", &json!(body))?;
        let text = if self.json { reply } else { minted.session };
        print(&format!("{text}\n"));
        if !self.json {
            print_note(&format!(
                "it lives for {} s; its user sends it as `Authorization: Bearer`",
                minted.expires_in_ms / 1_000
            ));
        }
        Ok(Exit::Yes)
    }

    fn revoked(&self) -> Result<Exit, CliError> {
        let body = RevokeSessions { targeting_key: self.user.clone() };
        let (reply, done): (_, SessionsRevoked) = self.post("/v1/sessions/revoke", &json!(body))?;
        let said = if self.json {
            reply
        } else {
            "every session that the user had is refused from now on; open streams end".to_owned()
        };
        print(&format!("{said}\n"));
        if !done.survives_restart {
            print_note("the disk has not taken it yet: it is written as soon as it does");
        }
        Ok(Exit::Yes)
    }

    /// What the server answers, as text and read.
    fn post<T: DeserializeOwned>(&self, path: &str, body: &Json) -> Result<(String, T), CliError> {
        let client = self.feed.client()?;
        let reply = http_client::runtime()?.block_on(client.post(path, body.to_string()));
        let reply = reply.map_err(|FeedError { error, .. }| error)?;
        let read = client.read(&reply)?;
        Ok((String::from_utf8_lossy(&reply).trim_end().to_owned(), read))
    }
}

fn user(text: &str) -> Result<String, String> {
    let is_key = (1..=MAX_UNIT_BYTES).contains(&text.len());
    let must = || format!("a user's id has 1 to {MAX_UNIT_BYTES} bytes");
    is_key.then(|| text.to_owned()).ok_or_else(must)
}

fn life(text: &str) -> Result<i64, String> {
    let ms = time::parse(text)?;
    let is_allowed = (MIN_LIFE_MS..=MAX_SESSION_TTL_MS).contains(&ms.unsigned_abs());
    is_allowed.then_some(ms).ok_or_else(|| "a session lives for 1s to 24h".to_owned())
}

fn named_stream(text: &str) -> Result<(FlagKey, String), String> {
    let (flag, stream) =
        text.split_once('/').ok_or("a stream is named with its flag, like build-events/b-42")?;
    let flag = flag.parse::<FlagKey>().map_err(|error| error.to_string())?;
    Ok((flag, stream_name(stream)?))
}
