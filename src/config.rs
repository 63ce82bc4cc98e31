//! Settings, checked once before anything is bound; all faults are reported together. Floor 0,
//! beside the words it needs.

mod auth;
mod completion;
mod logging;
mod program;
mod unknown;
mod unset;
mod webhook;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

pub use auth::{AuthArgs, AuthConfig, BrowserOrigin, SessionKeys};
pub use completion::{COMPLETION_VARIABLE, CompletionRequest};
pub use logging::Logging;
pub use program::program_name;
pub use unknown::unknown_names;
pub use unset::without_empty_variables;
pub use webhook::WebhookArgs;

use crate::definition::{bad_id, parse_duration, parse_internal_user_ids};
use crate::flag::ServerAuth;
use crate::http::{Limits, StreamLimits};
use crate::public_path::PublicPath;
use crate::time_limit::within;
use crate::webhook::WebhookConfig;

/// The longest wait for the name of a listen address to resolve.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// The most faulty entries of a list that are named.
const MAX_FAULTS_NAMED: usize = 5;

/// The arguments of `turnout serve`, from flags or the environment, as text.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ServeArgs {
    /// The folder of flag definitions
    #[arg(long = "flags", value_name = "DIR", env = "TURNOUT_FLAGS", default_value = "./flags")]
    pub flags: PathBuf,

    /// What must survive: the database, the journal, the last good state, the admin token
    #[arg(long = "data", value_name = "DIR", env = "TURNOUT_DATA", default_value = "./data")]
    pub data: PathBuf,

    /// Believe a database that is another one, or older, than the one known here; stops are carried
    /// over
    #[arg(long)]
    pub accept_database: bool,

    /// Whether an empty data folder is a first start: allow, or deny, which ends such a start
    #[arg(long, value_name = "allow|deny", env = "TURNOUT_NEW_DATA", default_value = "allow")]
    pub new_data: String,

    /// Where clients ask; port 0 takes any free port
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "TURNOUT_LISTEN",
        default_value = "127.0.0.1:7070"
    )]
    pub listen: String,

    /// Where operators ask, with a token
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "TURNOUT_ADMIN_LISTEN",
        default_value = "127.0.0.1:7071"
    )]
    pub admin_listen: String,

    /// Where a proxy serves the public listener, like /turnout: it stands before every address that
    /// answers name
    #[arg(long, value_name = "PATH", env = "TURNOUT_PUBLIC_PATH", default_value = "/")]
    pub public_path: String,

    #[command(flatten)]
    pub who_may_ask: AuthArgs,

    #[command(flatten)]
    pub deciding: EvaluationArgs,

    #[command(flatten)]
    pub limiting: LimitArgs,

    #[command(flatten)]
    pub telling: WebhookArgs,

    #[command(flatten)]
    pub logging: Logging,
}

/// The settings that take part in an evaluation.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct EvaluationArgs {
    /// Users of the segment `internal`, comma separated, beside those its file lists
    #[arg(
        long,
        value_name = "IDS",
        env = "INTERNAL_USER_IDS",
        default_value = "",
        hide_env_values = true,
        hide_default_value = true
    )]
    pub internal_user_ids: String,

    /// Server-auth mode: without a token hand-off every `realtime-v2` is answered `polling`
    #[arg(long, value_name = "BOOL", env = "ENABLE_SERVER_AUTH", default_value = "false")]
    pub enable_server_auth: String,

    /// Says that the application hands clients its own credential for `realtime-v2`
    #[arg(long, value_name = "BOOL", env = "FEATURE_CLIENT_SUPABASE", default_value = "false")]
    pub feature_client_supabase: String,

    /// Says that clients get scoped tokens instead of the raw key: on, or off
    #[arg(long, value_name = "BOOL", env = "TURNOUT_TOKEN_HANDOFF", default_value = "off")]
    pub token_handoff: String,
}

/// How much room and time a client may take.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LimitArgs {
    /// Connections at once, as far as the limit of open files allows; then the longest idle one
    /// makes room
    #[arg(long, value_name = "COUNT", env = "TURNOUT_MAX_CONNECTIONS", default_value = "50000")]
    pub max_connections: String,

    /// How long the head of a request may take to arrive
    #[arg(long, value_name = "TIME", env = "TURNOUT_HEADER_TIMEOUT", default_value = "5s")]
    pub header_timeout: String,

    /// How long the body of a request may take to arrive
    #[arg(long, value_name = "TIME", env = "TURNOUT_BODY_TIMEOUT", default_value = "10s")]
    pub body_timeout: String,

    /// How long a client may take nothing of an answer that waits for it
    #[arg(long, value_name = "TIME", env = "TURNOUT_WRITE_TIMEOUT", default_value = "30s")]
    pub write_timeout: String,

    /// How long a connection may ask nothing
    #[arg(long, value_name = "TIME", env = "TURNOUT_IDLE_TIMEOUT", default_value = "75s")]
    pub idle_timeout: String,

    /// Streams at once; a quarter of the connections stays free for questions
    #[arg(long, value_name = "COUNT", env = "TURNOUT_MAX_STREAMS", default_value = "20000")]
    pub max_streams: String,

    /// How often a stream gives a sign of life
    #[arg(long, value_name = "TIME", env = "TURNOUT_HEARTBEAT", default_value = "15s")]
    pub heartbeat: String,

    /// How many bytes of events are kept; a flag has at most half of them, a stream a sixteenth
    #[arg(
        long,
        value_name = "BYTES",
        env = "TURNOUT_EVENTS_MAX_BYTES",
        default_value = "1073741824"
    )]
    pub events_max_bytes: String,

    /// How long a stream lasts, give or take a fifth; its client comes back
    #[arg(long, value_name = "TIME", env = "TURNOUT_STREAM_MAX_AGE", default_value = "30m")]
    pub stream_max_age: String,
}

/// Checked settings that fit together.
#[derive(Clone, Debug)]
pub struct Config {
    pub flags: PathBuf,
    pub data: PathBuf,
    pub accept_database: bool,
    /// Whether an empty data folder is a first start.
    pub may_be_new: bool,
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    /// The path under which a proxy serves the public listener.
    pub public_path: PublicPath,
    pub internal_user_ids: Vec<String>,
    pub server_auth: ServerAuth,
    pub access: AuthConfig,
    pub limits: Limits,
    pub streams: StreamLimits,
    /// How many bytes of events are kept.
    pub events_max_bytes: u64,
    /// Where the webhook sends every change.
    pub webhook: Option<WebhookConfig>,
}

/// Everything that is wrong with the settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadSettings(pub Vec<String>);

impl ServeArgs {
    pub fn check(&self) -> Result<Config, BadSettings> {
        let mut errors = Vec::new();
        let mut address = |flag: &str, text: &str, port: u16| {
            if let Ok(address) = text.parse() {
                return Some(address);
            }
            let name = text.to_owned();
            // A name server may not answer.
            let found = within(LOOK_UP_TIMEOUT, move || {
                name.to_socket_addrs().ok().and_then(|mut found| found.next())
            });
            match found {
                None => errors.push(format!(
                    "{flag}: looking up `{text}` took longer than {} s; write an IP address, or see to the name server",
                    LOOK_UP_TIMEOUT.as_secs()
                )),
                Some(None) => {
                    errors.push(format!("{flag}: `{text}` is not an address to listen on; write HOST:PORT, like 127.0.0.1:{port}"));
                }
                Some(Some(_)) => {}
            }
            found.flatten()
        };
        let listen = address("--listen", &self.listen, 7070);
        let admin_listen = address("--admin-listen", &self.admin_listen, 7071);
        let public_path = match &*self.public_path {
            "" => PublicPath::default(),
            text => text.parse().unwrap_or_else(|error| {
                errors.push(format!("TURNOUT_PUBLIC_PATH: `{text}`: {error}"));
                PublicPath::default()
            }),
        };
        if !matches!(&*self.new_data, "" | "allow" | "deny") {
            errors.push(format!(
                "TURNOUT_NEW_DATA: `{}` is neither `allow` nor `deny`",
                self.new_data
            ));
        }
        let mut take = |BadSettings(more): BadSettings| errors.extend(more);
        let access = self.who_may_ask.check(listen).map_err(&mut take);
        let deciding = self.deciding.check().map_err(&mut take);
        let limits = self.limiting.check().map_err(&mut take);
        let webhook = self.telling.check().map_err(&mut take);
        let _ = self.logging.check().map_err(&mut take);
        match (listen, admin_listen, access, deciding, limits, webhook) {
            (
                Some(listen),
                Some(admin_listen),
                Ok(access),
                Ok((internal_user_ids, server_auth)),
                Ok((limits, streams, events_max_bytes)),
                Ok(webhook),
            ) if errors.is_empty() => Ok(Config {
                flags: self.flags.clone(),
                data: self.data.clone(),
                accept_database: self.accept_database,
                may_be_new: self.new_data != "deny",
                listen,
                admin_listen,
                public_path,
                internal_user_ids,
                server_auth,
                access,
                limits,
                streams,
                events_max_bytes,
                webhook,
            }),
            _ => Err(BadSettings(errors)),
        }
    }
}

impl EvaluationArgs {
    pub fn check(&self) -> Result<(Vec<String>, ServerAuth), BadSettings> {
        let mut errors = Vec::new();
        let mut read = |name: &str, text: &str| {
            boolean(text).unwrap_or_else(|| {
                errors.push(format!("{name}: `{text}` is neither true nor false"));
                false
            })
        };
        let server_auth = read("ENABLE_SERVER_AUTH", &self.enable_server_auth);
        let client_key = read("FEATURE_CLIENT_SUPABASE", &self.feature_client_supabase);
        let tokens = read("TURNOUT_TOKEN_HANDOFF", &self.token_handoff);
        errors.extend(faulty_ids(&self.internal_user_ids));
        if !errors.is_empty() {
            return Err(BadSettings(errors));
        }
        let mode = ServerAuth::of(server_auth, client_key || tokens);
        Ok((parse_internal_user_ids(&self.internal_user_ids), mode))
    }
}

/// Ids that match no user. An id is not quoted: it is personal.
fn faulty_ids(list: &str) -> Vec<String> {
    let fault = |(index, id): (usize, String)| {
        let bad = bad_id(&id)?;
        let (entry, message, hint) = (index + 1, bad.message, bad.hint);
        Some(format!("INTERNAL_USER_IDS: entry {entry} matches no user: {message}; {hint}"))
    };
    let ids = parse_internal_user_ids(list).into_iter().enumerate();
    ids.filter_map(fault).take(MAX_FAULTS_NAMED).collect()
}

impl LimitArgs {
    pub fn check(&self) -> Result<(Limits, StreamLimits, u64), BadSettings> {
        let mut errors = Vec::new();
        let mut count = |name: &str, text: &str, of: &str, like: usize| {
            text.parse().ok().filter(|count| *count > 0).unwrap_or_else(|| {
                errors.push(format!(
                    "{name}: `{text}` is not a number of {of}; write one from 1, like {like}"
                ));
                0
            })
        };
        let connections =
            count("TURNOUT_MAX_CONNECTIONS", &self.max_connections, "connections", 50_000);
        let streams = count("TURNOUT_MAX_STREAMS", &self.max_streams, "streams", 20_000);
        let mut time = |name: &str, text: &str| {
            parse_duration(text).filter(|time| !time.is_zero()).unwrap_or_else(|| {
                errors.push(format!(
                    "{name}: `{text}` is not a time to wait; write a number above 0 with its unit, like 5s or 500ms"
                ));
                Duration::ZERO
            })
        };
        let limits = Limits {
            connections,
            header: time("TURNOUT_HEADER_TIMEOUT", &self.header_timeout),
            body: time("TURNOUT_BODY_TIMEOUT", &self.body_timeout),
            write: time("TURNOUT_WRITE_TIMEOUT", &self.write_timeout),
            idle: time("TURNOUT_IDLE_TIMEOUT", &self.idle_timeout),
            ..Limits::default()
        };
        let streams = StreamLimits {
            streams,
            heartbeat: time("TURNOUT_HEARTBEAT", &self.heartbeat),
            max_age: time("TURNOUT_STREAM_MAX_AGE", &self.stream_max_age),
            ..StreamLimits::default()
        };
        let events = parse_bytes(&self.events_max_bytes);
        let events_max_bytes = events.filter(|bytes| *bytes >= MIN_EVENTS_BYTES);
        if events_max_bytes.is_none() {
            errors.push(format!(
                "TURNOUT_EVENTS_MAX_BYTES: `{}` is not a number of bytes; write at least {MIN_EVENTS_BYTES}, or with a unit, like 4GiB",
                self.events_max_bytes
            ));
        }
        let events_max_bytes = events_max_bytes.unwrap_or_default();
        if errors.is_empty() {
            Ok((limits, streams, events_max_bytes))
        } else {
            Err(BadSettings(errors))
        }
    }
}

/// A stream, which has a sixteenth, must hold a publish of any size.
const MIN_EVENTS_BYTES: u64 = 8 * 1024 * 1024;

/// A number of bytes, alone or with `KiB`, `MiB` or `GiB`.
fn parse_bytes(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let with_unit = units
        .into_iter()
        .find_map(|(unit, power)| Some((text.strip_suffix(unit)?.trim_end(), 1u64 << power)));
    let (digits, factor) = with_unit.unwrap_or((text, 1));
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse::<u64>().ok()?.checked_mul(factor)).flatten()
}

/// Deployments write booleans in many ways, and these two variables are older than Turnout.
fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "" | "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
