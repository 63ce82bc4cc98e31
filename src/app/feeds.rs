//! The database of events, on a thread of its own.

use super::start_error::StartError;
use crate::auth::random_number;
use crate::control::{Coordinator, Problem, ProblemKind};
use crate::feeds::{FeedProblem, FeedProblemKind, Feeds, FeedsOptions, Retention};
use crate::flag::FlagKey;
use crate::telemetry;
use crate::thread_runtime::ThreadRuntime;

/// Opens the database of events, apart from everything else: whatever is wrong with it is a problem
/// and keeps nothing from starting.
pub(super) async fn open_feeds(
    coordinator: &Coordinator,
    max_bytes: u64,
) -> Result<(Feeds, ThreadRuntime), StartError> {
    let thread = ThreadRuntime::start("events").map_err(StartError::Thread)?;
    let live = coordinator.live().clone();
    let retention = move |flag: &FlagKey| {
        let snapshot = live.current();
        let polling = &snapshot.flag(flag.as_str())?.flag()?.definition.transports.polling;
        Some(Retention {
            retain_ms: polling.retain.as_millis() as u64,
            keep: u64::from(polling.keep),
        })
    };
    let reporting = coordinator.clone();
    let options = FeedsOptions {
        path: coordinator.data().events(),
        max_bytes,
        clock: coordinator.clock().clone(),
        retention: Box::new(retention),
        random: random_number,
        report: Box::new(move |problems| report_feeds(&reporting, problems)),
        renewed: Box::new(telemetry::streams_renewed),
    };
    let feeds = Feeds::start(options, thread.handle().clone()).await;
    Ok((feeds, thread))
}

pub(super) fn report_feeds(coordinator: &Coordinator, problems: Vec<FeedProblem>) {
    for (kind, of) in [
        (ProblemKind::EventsUnavailable, FeedProblemKind::EventsUnavailable),
        (ProblemKind::EventsFull, FeedProblemKind::EventsFull),
        (ProblemKind::RetentionShortened, FeedProblemKind::RetentionShortened),
    ] {
        let problem = |problem: &FeedProblem| Problem {
            kind,
            subject: problem.flag.clone(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        };
        let found = problems.iter().filter(|problem| problem.kind == of).map(problem).collect();
        coordinator.report(kind, found);
    }
}
