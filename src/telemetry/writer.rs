//! The only thread that writes lines. It alone waits for the reader of stderr.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

use super::queue::LogQueue;
use super::record::{LogEvent, LogFormat};
use super::target;
use crate::clock;

/// The wait before the next write to a non-blocking pipe that is full.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Writes the lines in the queue, for as long as the process lives.
pub fn start(queue: Arc<LogQueue>, format: LogFormat) -> io::Result<()> {
    let run = move || {
        let mut reported = 0;
        loop {
            reported = write_next(&queue, format, reported, write_to_stderr);
        }
    };
    std::thread::Builder::new().name("log".to_owned()).spawn(run).map(drop)
}

/// Writes the next lines, and how many were dropped if that is more than `reported`. Returns the
/// number of dropped lines.
fn write_next(
    queue: &LogQueue,
    format: LogFormat,
    reported: u64,
    write: impl Fn(&[u8]) -> io::Result<()>,
) -> u64 {
    let batch = queue.take();
    let written = write(&batch.bytes);
    if written.is_err() {
        queue.drop_lines(batch.lines);
    }
    queue.finish(&batch);
    let dropped = queue.dropped();
    if written.is_err() || dropped == reported {
        return reported;
    }
    match write(lost(dropped - reported).line(format).as_bytes()) {
        Ok(()) => dropped,
        Err(_) => reported,
    }
}

fn lost(lines: u64) -> LogEvent<'static> {
    let message = match lines {
        1 => "1 line is missing here: stderr took none when it was said".to_owned(),
        lines => format!("{lines} lines are missing here: stderr took none when they were said"),
    };
    let fields = [("turnout.log.lines_dropped".to_owned(), lines.into())].into_iter().collect();
    LogEvent { at_ms: clock::wall_ms(), level: Level::WARN, target: target::LOG, message, fields }
}

/// Bypasses the lock of the standard library: a thread that holds it while a pipe is full would
/// block every panic.
fn write_to_stderr(mut bytes: &[u8]) -> io::Result<()> {
    let stderr = io::stderr();
    while !bytes.is_empty() {
        match rustix::io::write(&stderr, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => std::thread::sleep(RETRY_DELAY),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;

    use super::super::queue::{MAX_BYTES, MAX_LINES};
    use super::*;

    fn written(queue: &LogQueue, reported: u64) -> (String, u64) {
        let text = RefCell::new(String::new());
        let write = |bytes: &[u8]| {
            text.borrow_mut().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(())
        };
        let reported = write_next(queue, LogFormat::Text, reported, write);
        (text.into_inner(), reported)
    }

    #[test]
    fn lines_without_room_are_dropped_counted_and_spoken_of() {
        for (line, room) in
            [("short\n".to_owned(), MAX_LINES), ("x".repeat(1023) + "\n", MAX_BYTES / 1024)]
        {
            let queue = LogQueue::default();
            (0..room + 5).for_each(|_| queue.push(line.clone()));
            assert_eq!(queue.dropped(), 5);
            assert!(!queue.flush(Duration::ZERO), "everything still waits");
            let (first, reported) = written(&queue, 0);
            assert!(
                first.ends_with("WARN turnout::log: 5 lines are missing here: stderr took none when they were said\n"),
                "{first}"
            );
            assert_eq!(reported, 5);
            let mut rest = String::new();
            while !queue.flush(Duration::ZERO) {
                rest += &written(&queue, reported).0;
            }
            assert!(!rest.contains("missing"), "it is said once");
            assert_eq!(first.matches(&line).count() + rest.matches(&line).count(), room);
        }
    }

    #[test]
    fn lines_that_cannot_be_written_count_as_dropped() {
        let queue = LogQueue::default();
        queue.push("lost\n".to_owned());
        let reported =
            write_next(&queue, LogFormat::Text, 0, |_| Err(io::ErrorKind::BrokenPipe.into()));
        assert_eq!((reported, queue.dropped()), (0, 1));
        queue.push("kept\n".to_owned());
        let (text, reported) = written(&queue, reported);
        assert!(text.starts_with("kept\n") && text.contains("1 line is missing here"), "{text}");
        assert_eq!(reported, 1);
    }
}
