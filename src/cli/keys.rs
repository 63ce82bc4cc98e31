//! `turnout keys`: the keys that Turnout signs its own sessions and tokens with.

use clap::{Args, Subcommand};
use turnout_api::admin::keys::{ChangeKeys, Key, Keys as Listed, KeysChanged};

use super::answer::Answer;
use super::http_client::CliError;
use super::remote::ServerArgs;
use super::table::table;
use super::{Exit, print, print_error, print_note, time};

#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The keys there are, in the order in which they sign
    List(Asked),
    /// Make a new key; it signs once it has been published for 20 minutes
    Rotate(Asked),
    /// Stop believing a key at once: what it signed is refused, and the streams it opened end
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct Revoke {
    /// The key's id
    #[arg(value_name = "KID", value_parser = key_id)]
    id: String,

    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Args)]
struct Asked {
    /// What the server says, as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: ServerArgs,
}

impl Keys {
    pub fn run(&self) -> Exit {
        let done = match &self.verb {
            Verb::List(asked) => asked.list(),
            Verb::Rotate(asked) => asked.rotate(),
            Verb::Revoke(revoke) => revoke.run(),
        };
        done.map(|()| Exit::Yes).unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }
}

impl Asked {
    fn list(&self) -> Result<(), CliError> {
        let Answer { json, read } = self.remote.get::<Listed>("/v1/keys")?;
        if self.json {
            print(&format!("{json}\n"));
            return Ok(());
        }
        show(&read.keys);
        if let Some(file) = read.listed_in {
            print_note(&format!("listed in {file}; the first signs"));
        }
        Ok(())
    }

    fn rotate(&self) -> Result<(), CliError> {
        self.changed("/v1/keys/rotate")
    }

    fn changed(&self, path: &str) -> Result<(), CliError> {
        let Answer { json, read } = self.remote.post::<KeysChanged>(path, &ChangeKeys {})?;
        if self.json {
            print(&format!("{json}\n"));
            return Ok(());
        }
        show(&read.keys);
        if !read.survives_restart {
            print_note("this could not be written down yet: a restart would forget it");
        }
        Ok(())
    }
}

impl Revoke {
    fn run(&self) -> Result<(), CliError> {
        self.asked.changed(&format!("/v1/keys/{}/revoke", self.id))?;
        if !self.asked.json {
            print_note(
                "what it signed is refused from now on; clients get new sessions and tokens by themselves",
            );
        }
        Ok(())
    }
}

fn show(keys: &[Key]) {
    let row = |key: &Key| {
        let from = key.signs_from_ms.map_or_else(|| "-".to_owned(), time::in_a_column);
        [key.state.to_string(), from, key.id.clone()]
    };
    let head = format!("STATE  SIGNS FROM ({})  KID", time::zone());
    print(&table(&head, &keys.iter().map(row).collect::<Vec<_>>()));
}

/// A thumbprint: base64url.
fn key_id(text: &str) -> Result<String, &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !text.is_empty() && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("that is not the id of a key; turnout keys list shows them")
    }
}
