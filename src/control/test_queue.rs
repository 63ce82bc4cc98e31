//! Which tests of flags run next, and where: in small steps, on a thread that nothing waits for.
//!
//! After each step, the run with the least work left goes on, so that a flag with few tests does
//! not wait for one with many. A run is dropped when its flag or table was saved again.

use tokio::task::{JoinHandle, spawn_blocking};

use crate::definition::TestRun;

/// How many checks run in one step: some milliseconds.
const CHECKS_PER_STEP: u64 = 100_000;

/// Tests that are to be run.
#[derive(Debug, Default)]
pub(super) struct TestQueue {
    waiting: Vec<TestRun>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    task: JoinHandle<TestRun>,
    /// The same work, from its beginning.
    what: TestRun,
    is_wanted: bool,
}

impl TestQueue {
    /// Replaces all runs by these. A run that has begun already goes on where it was.
    pub fn renew(&mut self, wanted: Vec<TestRun>) {
        let mut begun = std::mem::take(&mut self.waiting);
        begun.retain(TestRun::has_begun);
        if let Some(running) = &mut self.running {
            running.is_wanted = wanted.iter().any(|run| run.is_same(&running.what));
        }
        for run in wanted {
            let known = begun.iter().position(|known| known.is_same(&run));
            let is_running =
                self.running.as_ref().is_some_and(|running| running.what.is_same(&run));
            match known {
                _ if is_running => {}
                Some(index) => self.waiting.push(begun.swap_remove(index)),
                None => self.waiting.push(run),
            }
        }
        // The run with the least left comes last.
        self.waiting.sort_by_key(|run| std::cmp::Reverse(run.checks_left()));
    }

    /// Runs tests until a run is done; never returns when the queue is empty. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> TestRun {
        loop {
            if self.running.is_none()
                && let Some(mut run) = self.waiting.pop()
            {
                let what = run.anew();
                let task = spawn_blocking(move || {
                    run.step(CHECKS_PER_STEP);
                    run
                });
                self.running = Some(Running { task, what, is_wanted: true });
            }
            let Some(running) = &mut self.running else { return std::future::pending().await };
            let stepped = (&mut running.task).await;
            let is_wanted = running.is_wanted;
            self.running = None;
            match stepped {
                Ok(run) if !is_wanted => drop(run),
                Ok(run) if run.is_done() => return run,
                Ok(run) => {
                    let place = self
                        .waiting
                        .partition_point(|other| other.checks_left() > run.checks_left());
                    self.waiting.insert(place, run);
                }
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
    }
}
