//! Without inotify: the system gives this process no watcher until the test lets it. The test stands
//! in for one function of the C library, so it has a process of its own; programs beside it keep
//! their watchers.

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

use std::ffi::c_int;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use rustix::fs::inotify;
use rustix::io::Errno;
use support::{Save, Service, flag};

/// Whether the system gives watchers.
static GIVES: AtomicBool = AtomicBool::new(false);
/// How many watchers were refused.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "why a function failed is told in the C library's own way")]
unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
}

/// In the place of the function of this name in the C library, which every watcher begins with: it
/// fails as it does for a user who has as many instances as the system allows.
#[expect(
    unsafe_code,
    reason = "the name is the C library's; the linker takes the program's own first"
)]
#[unsafe(no_mangle)]
extern "C" fn inotify_init1(flags: c_int) -> c_int {
    let made = if GIVES.load(SeqCst) {
        inotify::init(inotify::CreateFlags::from_bits_retain(flags.cast_unsigned()))
    } else {
        REFUSED.fetch_add(1, SeqCst);
        Err(Errno::MFILE)
    };
    match made {
        Ok(instance) => instance.into_raw_fd(),
        Err(errno) => {
            // SAFETY: the C library returns the address of this thread's own error number.
            unsafe { *__errno_location() = errno.raw_os_error() };
            -1
        }
    }
}

#[tokio::test]
async fn without_inotify_the_folder_is_polled() {
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
    assert!(REFUSED.load(SeqCst) > 0, "the watcher begins with another function");
    GIVES.store(true, SeqCst);
    // As soon as the system gives a watcher again, it is used.
    support::wait_until("events to be heard again", async || {
        !service.app.watch_mode().is_polling()
    })
    .await;
    let revision = service.revision();
    Save::Rename.save(&service.flags.join("chat.yaml"), &at("50%"));
    service.reach(revision + 1).await;
}
