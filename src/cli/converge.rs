//! `-w`: watches until every client with an open stream holds what is live, or until a time limit.
//!
//! Progress goes to stderr: on a terminal one line that is redrawn, elsewhere a line whenever
//! something changed. The result is data and goes to stdout. Watching only reads from the server:
//! the command is executed whether the caller watches or not.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::answer::Answer;
use super::colours::print_screen;
use super::convergence::Progress;
use super::http_client::CliError;
use super::output::{self, draw};
use super::remote::{PATIENCE, ServerArgs};
use super::{Exit, print, print_error, print_note, time};
use crate::clock;
use crate::convergence::ANSWERS_WITHIN_MS;
use crate::flag::FlagKey;

/// Time between two requests.
const PAUSE: Duration = Duration::from_millis(150);
/// By then a client that can acknowledge has done so.
const ANSWERS_WITHIN: Duration = Duration::from_millis(ANSWERS_WITHIN_MS);
/// How long the server has to answer once the time is over.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// Time between two lines of a log.
const BETWEEN_LINES: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Wait until every client with an open stream holds what is live, and show how many do; exit
    /// code 1 if that takes longer than --limit
    #[arg(long, short)]
    pub watch: bool,

    /// How long -w waits, like 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time::parse, requires = "watch")]
    limit: i64,
}

impl WatchArgs {
    /// Watches one flag, or all of them, if that is wanted.
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
        let mut interrupt = line.interrupts()?;
        loop {
            let left = limit.saturating_sub(started.elapsed());
            let over = left.is_zero();
            let patience = left.clamp(LAST_LOOK, PATIENCE);
            let Some(answer) = line.get_unless(&path, patience, &mut interrupt) else {
                return Ok(interrupted(flag, screen));
            };
            match answer {
                Ok(Answer { json, read }) => {
                    let convergence = Progress(read);
                    let newest = &convergence.0.position;
                    if position.as_ref().is_some_and(|position| position != newest) {
                        screen.say(&format!(
                            "position {newest} went live meanwhile; looking on at that"
                        ));
                    }
                    position = Some(newest.clone());
                    screen.show(&json.to_string(), &convergence);
                    // A client that has just connected may be about to acknowledge.
                    if convergence.is_held()
                        || convergence.is_told() && (over || started.elapsed() >= ANSWERS_WITHIN)
                    {
                        screen.end(&convergence.done(started_ms));
                        return Ok(Exit::Yes);
                    }
                    if over {
                        let again = of(flag);
                        let missing = convergence.missing(clock::wall_ms());
                        screen.end(&format!("{missing}; turnout status{again} -w goes on looking"));
                        return Ok(Exit::No);
                    }
                }
                // The server may be restarting just now.
                Err(error) if error.exit == Exit::Failed && !over => screen.say(&error.message),
                Err(error) => return Err(error),
            }
            if output::has_reader_left() {
                return Ok(Exit::Yes);
            }
            let pause = PAUSE.min(limit.saturating_sub(started.elapsed()));
            if !line.pause_unless(pause, &mut interrupt) {
                return Ok(interrupted(flag, screen));
            }
        }
    }
}

/// A person no longer looks on.
fn interrupted(flag: Option<&FlagKey>, screen: &mut Screen) -> Exit {
    screen.clear();
    print_note(&format!(
        "stopped looking; what is live stays live. turnout status{} -w goes on looking",
        of(flag)
    ));
    Exit::No
}

/// The flag as a part of a command.
fn of(flag: Option<&FlagKey>) -> String {
    flag.map(|flag| format!(" {flag}")).unwrap_or_default()
}

/// Where progress is shown to people and programs.
struct Screen {
    kind: Kind,
    shown: String,
    said: String,
    next_line: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Every state as the server sent it, on stdout.
    Json,
    /// One line that is redrawn.
    Terminal,
    Log,
}

impl Screen {
    fn new(json: bool) -> Screen {
        let kind = if json {
            Kind::Json
        } else if output::talks_to_a_terminal() {
            Kind::Terminal
        } else {
            Kind::Log
        };
        Screen { kind, shown: String::new(), said: String::new(), next_line: Instant::now() }
    }

    /// Shows the current state.
    fn show(&mut self, reply: &str, convergence: &Progress) {
        let line = match self.kind {
            Kind::Json => reply.to_owned(),
            Kind::Terminal => convergence.drawn(output::note_columns().unwrap_or(usize::MAX)),
            Kind::Log => convergence.line(),
        };
        // The last line of a log would repeat this one.
        let waits =
            self.kind == Kind::Log && (convergence.is_held() || Instant::now() < self.next_line);
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

    /// Prints a note besides the progress, once.
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
            print_screen(&format!("{line}\n"));
        }
    }

    fn clear(&mut self) {
        if self.kind == Kind::Terminal && !self.shown.is_empty() {
            draw("");
        }
        self.shown.clear();
    }
}
