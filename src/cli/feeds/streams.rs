//! `turnout streams`: what each stream holds, and how many users read it; never who.

use clap::Args;
use serde_json::{Value as Json, json};
use turnout_api::feeds::{StreamList, StreamRow};

use super::arguments::FeedArgs;
use super::client::{FeedClient, FeedError};
use crate::cli::http_client::{self, CliError};
use crate::cli::table::table;
use crate::cli::{Exit, print, print_error, print_note};
use crate::display_text;
use crate::feeds::is_stream;
use crate::flag::FlagKey;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    turnout streams build-events\n  \
    turnout streams --json\n\n\
    HEAD is the position of the newest event. READERS is how many users may read a stream, and `verified` is every verified user.")]
pub struct Streams {
    /// The flag; left out, all flags
    flag: Option<FlagKey>,

    /// One JSON object a line and stream
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    feed: FeedArgs,
}

impl Streams {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, CliError> {
        let client = self.feed.client()?;
        let listed = http_client::runtime()?.block_on(async {
            match (self.listed(&client).await, &self.flag) {
                (Err(failed), Some(flag)) => Err(client.with_hint(flag, failed).await),
                (listed, _) => listed.map_err(|FeedError { error, .. }| error),
            }
        })?;
        if self.json {
            let line = |(flag, row): &(String, StreamRow)| {
                let mut object = json!({ "flag": flag });
                if let (Json::Object(all), Json::Object(own)) = (&mut object, json!(row)) {
                    all.extend(own);
                }
                format!("{object}\n")
            };
            print(&listed.iter().map(line).collect::<String>());
        } else if listed.is_empty() {
            print_note("there are no streams; turnout publish makes one");
        } else {
            let rows: Vec<_> = listed.iter().map(row).collect();
            print(&table("HEAD  KEPT  BYTES  READERS  ENDED  STREAM", &rows));
        }
        Ok(Exit::Yes)
    }

    /// The flag and what is known of each stream.
    async fn listed(&self, client: &FeedClient) -> Result<Vec<(String, StreamRow)>, FeedError> {
        let flags = match &self.flag {
            Some(flag) => vec![flag.clone()],
            None => client.flags().await?,
        };
        let mut listed = Vec::new();
        for flag in flags {
            let mut after = String::new();
            loop {
                let behind =
                    if after.is_empty() { String::new() } else { format!("?after={after}") };
                let path = format!("/v1/feeds/{flag}{behind}");
                let page: StreamList = client.get(&path).await?;
                let last = page.streams.last().map(|row| row.stream.clone());
                listed.extend(page.streams.into_iter().map(|row| (flag.to_string(), row)));
                // Names rise, so a server that does not go on is not asked for ever.
                match last.filter(|last| page.has_more && is_stream(last) && *last > after) {
                    Some(last) => after = last,
                    None => break,
                }
            }
        }
        Ok(listed)
    }
}

fn row((flag, row): &(String, StreamRow)) -> [String; 6] {
    let ended = if row.ended { "ended" } else { "-" };
    let stream = display_text::line(&row.stream);
    [
        row.head.to_string(),
        row.kept.to_string(),
        row.bytes.to_string(),
        row.readers.to_string(),
        ended.to_owned(),
        format!("{flag}/{stream}"),
    ]
}
