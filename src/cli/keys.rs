//! `turnout keys`: the keys that Turnout signs its own sessions and tokens with.

use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use turnout_api::admin::keys::{Key, Keys as Listed, KeysChanged};

use super::remote::ServerArgs;
use super::table::table;
use super::{Exit, print, print_error, print_note, time};
use crate::display_text;

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
        done.map(|()| Exit::Yes).unwrap_or_else(|(exit, message)| {
            print_error(&message);
            exit
        })
    }
}

impl Asked {
    fn list(&self) -> Result<(), (Exit, String)> {
        let reply = self.remote.get("/v1/keys")?;
        if self.json {
            print(&format!("{reply}\n"));
            return Ok(());
        }
        let listed: Listed = read(&reply)?;
        show(&listed.keys);
        if let Some(file) = listed.listed_in {
            print_note(&format!("listed in {}; the first signs", display_text::line(&file)));
        }
        Ok(())
    }

    fn rotate(&self) -> Result<(), (Exit, String)> {
        let reply = self.remote.post("/v1/keys/rotate", &json!({}))?;
        self.changed(&reply)
    }

    fn changed(&self, reply: &Json) -> Result<(), (Exit, String)> {
        if self.json {
            print(&format!("{reply}\n"));
            return Ok(());
        }
        let changed: KeysChanged = read(reply)?;
        show(&changed.keys);
        if !changed.survives_restart {
            print_note("this could not be written down yet: a restart would forget it");
        }
        Ok(())
    }
}

impl Revoke {
    fn run(&self) -> Result<(), (Exit, String)> {
        let path = format!("/v1/keys/{}/revoke", self.id);
        let reply = self.asked.remote.post(&path, &json!({}))?;
        self.asked.changed(&reply)?;
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
        let from = key.signs_from_ms.map_or_else(|| "-".to_owned(), time::at);
        [key.state.to_string(), from, display_text::line(&key.id).into_owned()]
    };
    print(&table(["STATE", "SIGNS FROM", "KID"], &keys.iter().map(row).collect::<Vec<_>>()));
}

fn read<T: DeserializeOwned>(reply: &Json) -> Result<T, (Exit, String)> {
    T::deserialize(reply)
        .map_err(|_| (Exit::Failed, "the server answered something else than was asked".to_owned()))
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
