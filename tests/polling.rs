//! Without inotify: the test first takes every instance the system gives, so it has a process of
//! its own.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::large_stack_arrays,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and sets up what it needs"
)]

mod support;

use std::time::Duration;

use support::{Save, Service, flag};

#[tokio::test]
async fn without_inotify_the_folder_is_polled() {
    let mut taken = Vec::new();
    while let Ok(watcher) = notify::recommended_watcher(|_| {}) {
        taken.push(watcher);
        assert!(taken.len() < 100_000, "this system gives watchers without end");
    }
    let at = |share: &str| flag("chat", &format!("rollout: {{ realtime-v2: {share} }}"));
    let service = Service::start(&[("chat.yaml", &at("0%"))]).await;
    for (round, way) in Save::ALL.into_iter().cycle().take(support::rounds()).enumerate() {
        let (share, strategy) =
            if round % 2 == 0 { ("100%", "realtime-v2") } else { ("0%", "polling") };
        let revision = service.revision();
        way.save(&service.flags.join("chat.yaml"), &at(share));
        service.reach(revision + 1).await;
        assert_eq!(service.strategy("chat", "u-1").await, strategy, "{way:?}");
        assert!(service.app.watch_mode().is_polling());
    }
    drop(taken);
    // As soon as the system gives a watcher again, it is used.
    support::wait_until("events to be heard again", async || {
        !service.app.watch_mode().is_polling()
    })
    .await;
    let revision = service.revision();
    tokio::time::sleep(Duration::from_millis(1)).await;
    Save::Rename.save(&service.flags.join("chat.yaml"), &at("50%"));
    service.reach(revision + 1).await;
}
