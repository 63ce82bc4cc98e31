//! `turnout token`: credentials for people and programs. Only the secret goes to stdout, so that it
//! can be written to a file.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value as Json, json};

use super::remote::{ServerArgs, text_of};
use super::table::table;
use super::{Exit, print, print_error, print_note, printed, time};
use crate::auth::LOCAL_ADMIN;
use crate::clock;
use crate::flag::FlagKey;
use crate::ledger::CredentialId;

/// How long before its end the server names a token among the problems.
const SOON_MS: i64 = 14 * 86_400_000;

#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a credential; its secret is shown once, alone on stdout
    Create(Create),
    /// The credentials there are, without their secrets
    List(List),
    /// Revoke a credential at once
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  (umask 077; turnout token create oncall --role stopper > oncall.token)"
)]
struct Create {
    /// Whose it is: letters, digits and . - _; it stands in the history as who changed something
    name: String,

    /// What it may do
    #[arg(long, value_enum)]
    role: RoleName,

    /// Limit it to this flag; may be repeated
    #[arg(long = "flag", value_name = "FLAG")]
    flags: Vec<FlagKey>,

    /// Why; it stands in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// When it expires, like 12h or 90d
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = time::parse)]
    expires: i64,

    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Args)]
struct Revoke {
    /// Its id, or the name of a living one; `self` is the one you ask with, `local-admin` the
    /// server's own (admin.token)
    #[arg(value_name = "ID|NAME")]
    which: String,

    /// Why; it stands in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    /// Look
    Viewer,
    /// Look, stop and lower: for on-call and alert hooks
    Stopper,
    /// Change flags
    Operator,
    /// Everything, credentials too
    Admin,
    /// Ask for users, on the public listener
    Server,
}

impl Token {
    pub fn run(&self) -> Exit {
        let done = match &self.verb {
            Verb::Create(create) => create.run(),
            Verb::List(list) => list.run(),
            Verb::Revoke(revoke) => revoke.run(),
        };
        done.map(|()| Exit::Yes).unwrap_or_else(|(exit, message)| {
            print_error(&message);
            exit
        })
    }
}

impl Create {
    fn run(&self) -> Result<(), (Exit, String)> {
        let role = self
            .role
            .to_possible_value()
            .map(|role| role.get_name().to_owned())
            .unwrap_or_default();
        let mut body = json!({ "name": self.name, "role": role, "expiresAfterMs": self.expires });
        if let Some(reason) = &self.reason {
            body["reason"] = json!(reason);
        }
        if !self.flags.is_empty() {
            body["flags"] = json!(self.flags);
        }
        let reply = self.asked.remote.post("/v1/tokens", &body)?;
        // A person types it as it is printed to revoke the token.
        let id = reply["id"]
            .as_str()
            .filter(|id| id.parse::<CredentialId>().is_ok())
            .unwrap_or("ID")
            .to_owned();
        let expires = time::of(&reply["expiresAtMs"]);
        let lost = || {
            format!(
                "no one has the secret of {id}, as it could not be printed; turnout token revoke {id}"
            )
        };
        if self.asked.json {
            return if printed(&format!("{reply}\n")) { Ok(()) } else { Err((Exit::Yes, lost())) };
        }
        print_note(&format!(
            "{id}: {role} {}, until {expires}; this is the only time its secret is shown",
            reach(&reply)
        ));
        if !printed(&format!("{}\n", text_of(&reply["secret"]))) {
            return Err((Exit::Yes, lost()));
        }
        print_note(&format!("undo: turnout token revoke {id}"));
        Ok(())
    }
}

impl List {
    fn run(&self) -> Result<(), (Exit, String)> {
        let reply = self.asked.remote.get("/v1/tokens")?;
        let tokens = reply["tokens"].as_array().map_or(&[][..], Vec::as_slice);
        match (self.asked.json, tokens) {
            (true, _) => print(&format!("{reply}\n")),
            (false, []) => {
                print_note("no token but the server's own (admin.token in its data folder)");
            }
            (false, tokens) => {
                let rows: Vec<[String; 7]> = tokens.iter().map(row).collect();
                print(&table(["ID", "NAME", "ROLE", "FLAGS", "CREATED", "ENDS", "STATE"], &rows));
            }
        }
        Ok(())
    }
}

impl Revoke {
    fn run(&self) -> Result<(), (Exit, String)> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if self.which.is_empty() || !self.which.bytes().all(is_plain) {
            return Err((
                Exit::Usage,
                "that is not a token's id or name; turnout token list shows them".to_owned(),
            ));
        }
        let body =
            self.reason.as_ref().map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
        let reply = self.asked.remote.post(&format!("/v1/tokens/{}/revoke", self.which), &body)?;
        print(&if self.asked.json {
            format!("{reply}\n")
        } else {
            format!("revoked {}\n", text_of(&reply["revoked"]))
        });
        if reply["outcome"] == "pending" {
            let survives = if reply["survivesRestart"] == true {
                "it survives a restart"
            } else {
                "a restart would forget it"
            };
            print_note(&format!(
                "it is no longer accepted, and that is not yet saved in the database; {survives}"
            ));
        }
        if reply["revoked"] == LOCAL_ADMIN && reply["survivesRestart"] == true {
            print_note("admin.token in the server's data folder holds a new one");
        }
        Ok(())
    }
}

fn row(token: &Json) -> [String; 7] {
    let ends = token["revokedAtMs"].as_i64().or(token["expiresAtMs"].as_i64());
    let (created, ends) = (token["createdAtMs"].as_i64().map(time::day), ends.map(time::day));
    let day = |day: Option<String>| day.unwrap_or_else(|| "-".to_owned());
    let state = match (&*text_of(&token["state"]), token["expiresAtMs"].as_i64()) {
        ("good", Some(at)) if at < clock::wall_ms() + SOON_MS => "ends soon".to_owned(),
        (state, _) => state.to_owned(),
    };
    let flags = if token["flags"].is_null() { "all".to_owned() } else { reach(token) };
    [
        text_of(&token["id"]),
        text_of(&token["name"]),
        text_of(&token["role"]),
        flags,
        day(created),
        day(ends),
        state,
    ]
}

/// The flags it reaches.
fn reach(token: &Json) -> String {
    match token["flags"].as_array() {
        None => "all flags".to_owned(),
        Some(flags) => flags.iter().map(text_of).collect::<Vec<_>>().join(", "),
    }
}
