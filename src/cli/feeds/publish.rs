//! `turnout publish`: appends an event to a stream, or changes who reads it, or ends it.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use serde_json::value::RawValue;
use turnout_api::feeds::{EveryReader, NewEvent, NewReaders, PublishBody, PublishResult};

use super::arguments::{FeedArgs, stream_name};
use super::client::{FeedClient, FeedError};
use super::readers::is_made_without_readers;
use crate::auth::random_name;
use crate::cli::http_client::{self, CliError};
use crate::cli::output::print_lines;
use crate::cli::{Exit, count, print, print_error, print_note};
use crate::display_text;
use crate::feeds::limits::{MAX_DATA_BYTES, MAX_EVENT_ID_BYTES, MAX_TYPE_BYTES};
use crate::feeds::{is_event_id, is_event_type};
use crate::flag::FlagKey;

#[derive(Debug, Args)]
#[command(mut_arg("data", |data| data.long("data-folder")), after_help = "Examples:\n  \
    turnout publish build-events b-42 --type build.started --readers u-1,u-2\n  \
    turnout publish build-events b-42 --type build.step --data '{\"step\": 1}'\n  \
    turnout publish build-events b-42 --type build.log log.json\n  \
    turnout publish build-events b-42 --type build.done --ended\n\n\
    It is done once the event is durable. Sent again with the same --id, type and data, an event is a duplicate and does no harm.")]
pub struct Publish {
    /// The flag
    flag: FlagKey,

    /// The stream; it is made by its first publish
    #[arg(value_parser = stream_name)]
    stream: String,

    /// A file with the event's data as JSON; `-` is stdin
    #[arg(value_name = "FILE", conflicts_with = "event_data")]
    file: Option<PathBuf>,

    /// The event's data; unless said, null
    #[arg(long = "data", id = "event_data", value_name = "JSON")]
    json_data: Option<String>,

    /// The event's type; unless said, `event`
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,

    /// The event's id; unless said, a new one
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// Who may read the stream from now on, and no one else; '' for no one
    #[arg(long, value_name = "KEY", value_delimiter = ',', conflicts_with = "verified")]
    readers: Option<Vec<String>>,

    /// Let every verified user read the stream
    #[arg(long)]
    verified: bool,

    /// End the stream: it takes no further event
    #[arg(long)]
    ended: bool,

    /// What the server says, as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    feed: FeedArgs,
}

impl Publish {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, CliError> {
        self.check_names()?;
        let data = self.data()?;
        let new_id =
            random_name().ok_or_else(|| CliError::failed("the system gives no randomness"));
        let id = self.id.clone().map_or(new_id, Ok)?;
        let event = data.as_deref().map(|data| NewEvent {
            id: &id,
            kind: self.kind.as_deref().unwrap_or("event"),
            data,
        });
        let body = PublishBody {
            readers: self.readers(),
            ended: self.ended.then_some(true),
            events: event.into_iter().collect(),
        };
        let body = serde_json::to_string(&body)
            .map_err(|error| CliError::failed(format!("the event cannot be written: {error}")))?;
        let client = self.feed.client()?;
        let reply = http_client::runtime()?.block_on(async {
            match self.send(&client, body).await {
                Err(failed) => Err(client.with_hint(&self.flag, failed).await),
                Ok(reply) => Ok(reply),
            }
        })?;
        let result: PublishResult = client.read(&reply)?;
        if self.json {
            print(&format!("{}\n", String::from_utf8_lossy(&reply).trim_end()));
        } else {
            print_lines(&format!("{}/{}   {}\n", self.flag, self.stream, self.outcome(&result)));
            if self.readers().is_none()
                && is_made_without_readers(&self.flag, &self.stream, &client, &result)?
            {
                print_note(&format!(
                    "no user may read it yet: turnout publish {} {} --readers USER, or --verified",
                    self.flag, self.stream
                ));
            }
        }
        Ok(Exit::Yes)
    }

    /// Whether the id and the type are such as a server takes.
    fn check_names(&self) -> Result<(), CliError> {
        if self.id.as_deref().is_some_and(|id| !is_event_id(id)) {
            return Err(wrong(format!(
                "--id: an id has 1 to {MAX_EVENT_ID_BYTES} printable ASCII characters"
            )));
        }
        if self.kind.as_deref().is_some_and(|kind| !is_event_type(kind)) {
            return Err(wrong(format!(
                "--type: a type has 1 to {MAX_TYPE_BYTES} letters, digits or `._:/-`, a letter or digit first"
            )));
        }
        Ok(())
    }

    /// The ids make it harmless to send a publish again after its answer was lost.
    async fn send(
        &self,
        client: &FeedClient,
        body: String,
    ) -> Result<hyper::body::Bytes, FeedError> {
        let path = format!("/v1/feeds/{}/{}", self.flag, self.stream);
        match client.post(&path, body.clone()).await {
            Err(FeedError { status: None, error, .. }) if error.exit == Exit::Failed => {
                client.post(&path, body).await
            }
            answer => answer,
        }
    }

    fn outcome(&self, result: &PublishResult) -> String {
        let mut parts = Vec::new();
        if result.accepted > 0 {
            parts.push(format!("{} published", count(result.accepted as usize, "event")));
        }
        if result.duplicates > 0 {
            parts.push("the stream held it already".to_owned());
        }
        match &self.readers {
            Some(_) => parts.push("readers replaced".to_owned()),
            None if self.verified => parts.push("every verified user may read it".to_owned()),
            None => {}
        }
        if self.ended {
            parts.push("ended".to_owned());
        }
        parts.join("   ")
    }

    fn readers(&self) -> Option<NewReaders> {
        if self.verified {
            return Some(NewReaders::Every(EveryReader::Verified));
        }
        let keys = self.readers.as_ref()?.iter().filter(|key| !key.is_empty());
        Some(NewReaders::Keys(keys.cloned().collect()))
    }

    /// The data of the event; `None` where only the stream itself changes.
    fn data(&self) -> Result<Option<Box<RawValue>>, CliError> {
        let (name, text) = match (&self.json_data, &self.file) {
            (Some(text), _) => ("--data".to_owned(), text.clone()),
            (None, Some(file)) => self.contents(file)?,
            (None, None) if self.kind.is_some() || self.id.is_some() => {
                ("--data".to_owned(), "null".to_owned())
            }
            (None, None) if self.ended || self.verified || self.readers.is_some() => {
                return Ok(None);
            }
            (None, None) => {
                return Err(wrong(
                    "there is nothing to publish; say --data JSON, FILE or - for stdin, or what changes: --readers, --verified, --ended",
                ));
            }
        };
        let data: Box<RawValue> = serde_json::from_str(&text).map_err(|error| {
            let hint = if text.trim().is_empty() {
                "an event without data has null"
            } else {
                "a text has quotes, like '\"done\"'"
            };
            wrong(format!(
                "{name}: that is not JSON (line {}, column {}); {hint}",
                error.line(),
                error.column()
            ))
        })?;
        if data.get().len() > MAX_DATA_BYTES {
            return Err(too_large(&name));
        }
        Ok(Some(data))
    }

    /// What a file holds, and what messages call it.
    fn contents(&self, file: &PathBuf) -> Result<(String, String), CliError> {
        let mut text = Vec::new();
        let is_stdin = file.as_os_str() == "-";
        let name = if is_stdin { "stdin".to_owned() } else { display_text::path(file) };
        // White space around the data does not count, but there is an end to it.
        let most = 2 * MAX_DATA_BYTES as u64 + 1;
        let read = if is_stdin {
            io::stdin().lock().take(most).read_to_end(&mut text)
        } else {
            File::open(file).and_then(|file| file.take(most).read_to_end(&mut text))
        };
        let read = read.map_err(|error| {
            let why = error.to_string();
            let why = why.split(" (os error").next().unwrap_or_default().to_owned();
            wrong(format!("{name} cannot be read ({why}); name a file with the event's data"))
        })?;
        if read as u64 == most {
            return Err(too_large(&name));
        }
        let text = String::from_utf8(text);
        Ok((
            name.clone(),
            text.map_err(|_| wrong(format!("{name}: that is not UTF-8, as JSON is")))?,
        ))
    }
}

fn too_large(name: &str) -> CliError {
    wrong(format!(
        "{name}: an event has at most {MAX_DATA_BYTES} bytes of data; publish where the rest is to be had"
    ))
}

/// Nothing was asked, as what was typed is wrong.
fn wrong(message: impl Into<String>) -> CliError {
    CliError::usage(message)
}
