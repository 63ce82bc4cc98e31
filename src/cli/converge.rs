//! `-w`: looks on until every client with an open stream holds what is live, or until a limit is
//! over.
//!
//! How it goes is talk: on a terminal one line that is drawn again, elsewhere a line whenever
//! something has changed. How it ended is data. It is a look at the server and no more: what was
//! ordered is done, whether somebody looks on or not.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::convergence::Convergence;
use super::http_client::CliError;
use super::output::{self, draw};
use super::remote::ServerArgs;
use super::{Exit, print, print_error, print_note, time};
use crate::clock;
use crate::convergence::ANSWERS_WITHIN_MS;
use crate::flag::FlagKey;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(150);
/// By then a client has acknowledged that can.
const ANSWERS_WITHIN: Duration = Duration::from_millis(ANSWERS_WITHIN_MS);
/// Between two lines of a log.
const BETWEEN_LINES: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Look on until every client with an open stream holds what is live; exit code 1 if that takes
    /// longer than --limit
    #[arg(long, short)]
    pub watch: bool,

    /// How long -w looks on, like 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time::parse, requires = "watch")]
    limit: i64,
}

impl WatchArgs {
    /// Looks on at one flag, or at all, if that is wanted.
    pub fn follow(&self, remote: &ServerArgs, flag: Option<&FlagKey>, json: bool) -> Exit {
        if !self.watch {
            return Exit::Yes;
        }
        let mut screen = Screen::new(json);
        self.look_on(remote, flag, &mut screen).unwrap_or_else(
            |CliError { exit, message, .. }| {
                screen.clear();
                print_error(&message);
                exit
            },
        )
    }

    fn look_on(
        &self,
        remote: &ServerArgs,
        flag: Option<&FlagKey>,
        screen: &mut Screen,
    ) -> Result<Exit, CliError> {
        let line = remote.open()?;
        let path = flag.map_or_else(
            || "/v1/convergence".to_owned(),
            |flag| format!("/v1/flags/{flag}/convergence"),
        );
        let (started, started_ms) = (Instant::now(), clock::wall_ms());
        let limit = Duration::from_millis(self.limit.unsigned_abs());
        let mut position = None;
        loop {
            let over = started.elapsed() >= limit;
            match line.get(&path) {
                Ok(told) => {
                    let landing = Convergence::of(&told);
                    if position.as_ref().is_some_and(|position| *position != landing.position) {
                        screen.say(&format!(
                            "position {} went live meanwhile; looking on at that",
                            landing.position
                        ));
                    }
                    position = Some(landing.position.clone());
                    screen.show(&told.to_string(), &landing);
                    // Whoever has just come may be on the way to acknowledge.
                    if landing.is_held()
                        || landing.is_told() && (over || started.elapsed() >= ANSWERS_WITHIN)
                    {
                        screen.end(&landing.done(started_ms));
                        return Ok(Exit::Yes);
                    }
                    if over {
                        let again = flag.map(|flag| format!(" {flag}")).unwrap_or_default();
                        let missing = landing.missing(clock::wall_ms());
                        screen.end(&format!("{missing}; turnout status{again} -w goes on looking"));
                        return Ok(Exit::No);
                    }
                }
                // It may be restarted just now.
                Err(fault) if fault.exit == Exit::Failed && !over => screen.say(&fault.message),
                Err(fault) => return Err(fault),
            }
            if output::has_reader_left() {
                return Ok(Exit::Yes);
            }
            line.pause(PAUSE.min(limit.saturating_sub(started.elapsed())));
        }
    }
}

/// Where people and programs look.
struct Screen {
    kind: Kind,
    shown: String,
    said: String,
    next_line: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Every state as the server says it, on stdout.
    Json,
    /// One line that is drawn again.
    Terminal,
    Log,
}

impl Screen {
    fn new(json: bool) -> Screen {
        let kind = match json {
            true => Kind::Json,
            false if output::talks_to_a_terminal() => Kind::Terminal,
            false => Kind::Log,
        };
        Screen { kind, shown: String::new(), said: String::new(), next_line: Instant::now() }
    }

    /// How it stands.
    fn show(&mut self, told: &str, landing: &Convergence) {
        let line = match self.kind {
            Kind::Json => told.to_owned(),
            Kind::Terminal => landing.drawn(),
            Kind::Log => landing.line(),
        };
        // The last line of a log says what this one would.
        let waits =
            self.kind == Kind::Log && (landing.is_held() || Instant::now() < self.next_line);
        if line == self.shown || waits {
            return;
        }
        match self.kind {
            Kind::Json => print(&format!("{line}\n")),
            Kind::Terminal => draw(&line),
            Kind::Log => print_note(&line),
        }
        self.shown = line;
        self.next_line = Instant::now() + BETWEEN_LINES;
    }

    /// Something beside, once.
    fn say(&mut self, message: &str) {
        if self.said == message {
            return;
        }
        self.clear();
        print_note(message);
        self.said = message.to_owned();
    }

    fn end(&mut self, line: &str) {
        self.clear();
        if self.kind != Kind::Json {
            print(&format!("{line}\n"));
        }
    }

    fn clear(&mut self) {
        if self.kind == Kind::Terminal && !self.shown.is_empty() {
            draw("");
        }
        self.shown.clear();
    }
}
