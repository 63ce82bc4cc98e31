//! `turnout token`: credentials for people and programs. Only the secret goes to stdout, so that it
//! can be written to a file.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use turnout_api::admin::flags::FlagState;
use turnout_api::admin::tokens::{
    CreateToken, NewToken, RevocationOutcome, RevokeToken, Revoked, Role, Token as Credential,
    TokenState, Tokens,
};
use turnout_api::problem::Code;

use super::answer::Answer;
use super::caller;
use super::change::reason;
use super::http_client::CliError;
use super::output::print_undo;
use super::remote::ServerArgs;
use super::table::table;
use super::{Exit, print, print_error, print_note, printed, time};
use crate::auth::LOCAL_ADMIN;
use crate::clock;
use crate::display_text;
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
    /// Make a token; its secret is shown once, alone on stdout
    Create(Create),
    /// List the tokens, without their secrets
    List(List),
    /// Revoke a token at once
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  turnout token create oncall --role stopper --out oncall.token")]
struct Create {
    /// Its name: letters, digits and . - _; the history shows it beside what the token changed
    name: String,

    /// What it may do
    #[arg(long, value_enum)]
    role: RoleName,

    /// Limit it to this flag; may be repeated
    #[arg(long = "flag", value_name = "FLAG")]
    flags: Vec<FlagKey>,

    /// Why; it stands in the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,

    /// When it expires, like 12h or 90d
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = time::parse)]
    expires: i64,

    /// Write the secret to this new file, for its owner alone, instead of stdout
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    out: Option<PathBuf>,

    /// Make it also for a --flag that is not there yet
    #[arg(long, short = 'y')]
    yes: bool,

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
    /// Its id, or the name of a token that is still good; `self` is the one you ask with,
    /// `local-admin` the server's own (admin.token)
    #[arg(value_name = "ID|NAME")]
    which: String,

    /// Why; it stands in the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
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
    /// Ask for users, publish events and make sessions, on the public listener
    Server,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Viewer => Role::Viewer,
            RoleName::Stopper => Role::Stopper,
            RoleName::Operator => Role::Operator,
            RoleName::Admin => Role::Admin,
            RoleName::Server => Role::Server,
        }
    }
}

impl Token {
    pub fn run(&self) -> Exit {
        let done = match &self.verb {
            Verb::Create(create) => create.run(),
            Verb::List(list) => list.run(),
            Verb::Revoke(revoke) => revoke.run(),
        };
        done.map(|()| Exit::Yes).unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }
}

impl Create {
    fn run(&self) -> Result<(), CliError> {
        for flag in &self.flags {
            self.find(flag)?;
        }
        // The file is made first: a token whose secret has no place is not made.
        let file = self.out.as_deref().map(new_file).transpose()?;
        let made = self.make(file);
        if let (Err(_), Some(path)) = (&made, &self.out) {
            let _ = fs::remove_file(path);
        }
        made
    }

    /// A token for a flag that is not there can do nothing, which would be found out when it is
    /// needed.
    fn find(&self, flag: &FlagKey) -> Result<(), CliError> {
        match self.asked.remote.get::<FlagState>(&format!("/v1/flags/{flag}")) {
            Ok(_) => Ok(()),
            Err(error) if error.code != Some(Code::FlagNotFound) => {
                Err(caller::of_the_verb(error, "admin"))
            }
            Err(_) if self.yes => Ok(()),
            Err(error) => Err(CliError {
                message: format!("{}; --yes makes the token all the same", error.message),
                ..error
            }),
        }
    }

    fn make(&self, file: Option<File>) -> Result<(), CliError> {
        let flags = self.flags.iter().map(FlagKey::to_string).collect::<Vec<_>>();
        let body = CreateToken {
            name: self.name.clone(),
            role: self.role.into(),
            expires_after_ms: Some(self.expires),
            reason: self.reason.clone(),
            flags: (!flags.is_empty()).then_some(flags),
        };
        let Answer { json, read } = self.asked.remote.post::<NewToken>("/v1/tokens", &body)?;
        let NewToken { token, secret, .. } = read;
        // A person types it as it is printed to revoke the token.
        let id = Some(&*token.id).filter(|id| id.parse::<CredentialId>().is_ok()).unwrap_or("ID");
        let lost = || CliError {
            exit: Exit::Yes,
            ..CliError::failed(format!(
                "no one has the secret of {id}, as it could not be printed; turnout token revoke {id}"
            ))
        };
        if self.asked.json {
            return if printed(&format!("{json}\n")) { Ok(()) } else { Err(lost()) };
        }
        let expires = token.expires_at_ms.map(time::at).unwrap_or_default();
        let place = match &self.out {
            Some(path) => format!("its secret is in {} alone", display_text::path(path)),
            None => "this is the only time its secret is shown".to_owned(),
        };
        let note = format!("{id}: {} {}, until {expires}; {place}", token.role, reach(&token));
        print_note(&note);
        let is_kept = match file {
            Some(mut file) => writeln!(file, "{secret}").and_then(|()| file.sync_all()).is_ok(),
            None => printed(&format!("{secret}\n")),
        };
        if !is_kept {
            return Err(lost());
        }
        print_undo(&format!("turnout token revoke {id}"));
        Ok(())
    }
}

impl List {
    fn run(&self) -> Result<(), CliError> {
        let Answer { json, read: Tokens { tokens } } = self.asked.remote.get("/v1/tokens")?;
        match (self.asked.json, &*tokens) {
            (true, _) => print(&format!("{json}\n")),
            (false, tokens) => {
                let rows: Vec<[String; 7]> =
                    [own_row()].into_iter().chain(tokens.iter().map(row)).collect();
                let zone = time::zone();
                let head = format!("ID  NAME  ROLE  FLAGS  CREATED ({zone})  ENDS ({zone})  STATE");
                print(&table(&head, &rows));
            }
        }
        Ok(())
    }
}

impl Revoke {
    fn run(&self) -> Result<(), CliError> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if self.which.is_empty() || !self.which.bytes().all(is_plain) {
            return Err(CliError {
                exit: Exit::Usage,
                ..CliError::failed(
                    "that is not a token's id or name; turnout token list shows them",
                )
            });
        }
        let path = format!("/v1/tokens/{}/revoke", self.which);
        let body = RevokeToken { reason: self.reason.clone() };
        let Answer { json, read } = self.asked.remote.post::<Revoked>(&path, &body)?;
        print(&if self.asked.json {
            format!("{json}\n")
        } else {
            format!("revoked {}\n", read.revoked)
        });
        if read.outcome == RevocationOutcome::Pending {
            let survives = if read.survives_restart {
                "it survives a restart"
            } else {
                "a restart would forget it"
            };
            print_note(&format!(
                "it is no longer accepted, and that is not yet saved in the database; {survives}"
            ));
        }
        if read.revoked == LOCAL_ADMIN && read.survives_restart {
            print_note("admin.token in the server's data folder holds a new one");
        }
        Ok(())
    }
}

/// A file that there was not, for its owner alone.
fn new_file(path: &Path) -> Result<File, CliError> {
    let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    made.map_err(|error| {
        let why = error.to_string();
        let why = why.split(" (os error").next().unwrap_or_default().to_owned();
        let path = display_text::path(path);
        CliError::failed(if error.kind() == ErrorKind::AlreadyExists {
            format!(
                "--out: {path} is there already; name another file, or remove it; no token was made"
            )
        } else {
            format!("--out: {path} cannot be made ({why}); no token was made")
        })
    })
}

/// The server's own token, in `admin.token` of its data folder, which is in no database.
fn own_row() -> [String; 7] {
    [LOCAL_ADMIN, LOCAL_ADMIN, "admin", "all", "-", "-", "good"].map(str::to_owned)
}

fn row(token: &Credential) -> [String; 7] {
    let ends = token.revoked_at_ms.or(token.expires_at_ms);
    let state = match (token.state, token.expires_at_ms) {
        (TokenState::Good, Some(at)) if at < clock::wall_ms().saturating_add(SOON_MS) => {
            "ends soon".to_owned()
        }
        (state, _) => state.to_string(),
    };
    let flags = if token.flags.is_none() { "all".to_owned() } else { reach(token) };
    [
        token.id.clone(),
        token.name.clone(),
        token.role.to_string(),
        flags,
        time::day(token.created_at_ms),
        ends.map_or_else(|| "-".to_owned(), time::day),
        state,
    ]
}

/// The flags it reaches.
fn reach(token: &Credential) -> String {
    token.flags.as_ref().map_or_else(|| "all flags".to_owned(), |flags| flags.join(", "))
}
