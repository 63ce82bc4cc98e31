//! Where text leaves the command line: data on stdout, messages on stderr. Text that others wrote
//! is escaped before it leaves (`display_text.rs`), and data that could not be written is not a
//! success. What a person reads is broken to the terminal's width here, and nowhere else; what a
//! program reads, and a pipe, gets whole lines.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Exit;
use super::wrap::wrapped;
use crate::display_text;

/// How often to check whether the reader is still there, while there is nothing to write.
const LOOK: Duration = Duration::from_millis(100);

/// The columns of a terminal that does not say how many it has.
const WHERE_UNKNOWN: usize = 80;

/// Why data was lost, once any was; the first reason counts.
static LOST: Mutex<Option<Errno>> = Mutex::new(None);

/// Writes data.
pub fn print(text: &str) {
    printed(text);
}

/// Writes data, and returns whether it was written.
pub fn printed(text: &str) -> bool {
    write_out(&display_text::lines(text))
}

/// Writes data in which lines may be commands of a runner.
pub fn print_commands(text: &str) {
    write_out(&display_text::characters(text));
}

/// Writes words of this program and keys of flags for a shell, which separates them by a control
/// character.
pub fn print_candidates(text: &str) {
    write_out(text);
}

/// Writes data for a person, in lines that fit; returns whether it was written.
pub fn print_lines(text: &str) -> bool {
    write_out(&fitting(text, columns()))
}

/// Writes data for a person, with colours in it.
pub fn print_styled(text: &str) {
    write_out(&fitting_styled(text, columns()));
}

/// Prints why a command cannot be done.
pub fn print_error(message: &str) {
    print_note(&format!("turnout: {message}"));
}

/// Prints a note besides the data. If that fails, there is nowhere to report it.
pub fn print_note(message: &str) {
    write_note(&format!("{}\n", fitting(message, note_columns())));
}

/// Prints the command that takes back what was done: on a line of its own, to be copied.
pub fn print_undo(command: &str) {
    write_note(&format!("undo: {}\n", display_text::line(command)));
}

/// Prints a note with colours in it.
pub fn print_note_styled(message: &str) {
    write_note(&fitting_styled(message, note_columns()));
}

/// Draws a line over the one before. A line that is too long is cut off at the edge (autowrap is
/// off meanwhile), as a line that wraps could not be redrawn.
pub fn draw(line: &str) {
    write_note(&format!("\r\x1b[2K\x1b[?7l{}\x1b[?7h", display_text::line(line)));
}

/// What a person answers to a question.
pub fn ask(question: &str) -> String {
    write_note(&display_text::line(question));
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    answer.trim().to_owned()
}

/// Whether a person can be asked.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && talks_to_a_terminal()
}

pub fn prints_to_a_terminal() -> bool {
    io::stdout().is_terminal()
}

/// How many columns the terminal has to which data goes; `None` where it goes elsewhere, and lines are
/// whole.
pub fn columns() -> Option<usize> {
    columns_of(&io::stdout())
}

/// The same for messages.
pub fn note_columns() -> Option<usize> {
    columns_of(&io::stderr())
}

fn columns_of<T: IsTerminal + AsFd>(to: &T) -> Option<usize> {
    let size = to.is_terminal().then(|| rustix::termios::tcgetwinsize(to).ok())?;
    let columns = size.map(|size| usize::from(size.ws_col));
    Some(columns.filter(|columns| *columns > 0).unwrap_or(WHERE_UNKNOWN))
}

pub fn talks_to_a_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether the reader of stdout has left: a pipe or socket whose other end is closed. A file or a
/// terminal never counts as left.
pub fn has_reader_left() -> bool {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok_and(|found| found > 0)
        && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Waits until the reader of stdout has left.
pub async fn reader_left() {
    while !has_reader_left() {
        tokio::time::sleep(LOOK).await;
    }
}

/// The final exit code: a reader that left, as with `| head`, wanted no more, but data that was
/// lost otherwise is an error.
pub fn end(exit: Exit) -> Exit {
    match *LOST.lock().unwrap_or_else(PoisonError::into_inner) {
        None | Some(Errno::PIPE) => exit,
        Some(why) => {
            print_error(&format!(
                "what it printed is lost: stdout cannot be written ({})",
                reason(why)
            ));
            Exit::Failed
        }
    }
}

/// A text that is escaped and broken, and whose new lines read as no commands of a runner either.
fn fitting(text: &str, columns: Option<usize>) -> String {
    display_text::lines(&wrapped(&display_text::lines(text), columns)).into_owned()
}

fn fitting_styled(text: &str, columns: Option<usize>) -> String {
    display_text::styled(&wrapped(&display_text::styled(text), columns))
}

/// The system's words for an error.
fn reason(why: Errno) -> String {
    let why = io::Error::from(why).to_string();
    why.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Bypasses the standard library, which treats a closed stdout as one that takes everything.
fn write_out(text: &str) -> bool {
    let written = write_all(&io::stdout(), text.as_bytes());
    if let Err(why) = written {
        LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
    written.is_ok()
}

fn write_note(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn write_all(to: &io::Stdout, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // The other end made the descriptor non-blocking.
            Err(Errno::AGAIN) => {
                let mut fds = [PollFd::new(to, PollFlags::OUT)];
                poll(&mut fds, None)?;
            }
            Err(why) => return Err(why),
        }
    }
    Ok(())
}
