//! Arbitrary bytes, and real inputs mutated at random, wherever bytes come in: files, bodies,
//! tokens, connections.
//!
//! `PROPTEST_CASES=100000 cargo test --test it security::bytes::` looks for longer; `fuzz/` has the
//! same checks for a fuzzer that watches what the bytes reach.

mod bend;
mod files;
mod question;
mod token;
mod wire;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{panic, thread};

use crate::support::issuer;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Builder;

/// This many cases, unless `PROPTEST_CASES` names a number.
fn cases(few: u32) -> ProptestConfig {
    let is_set = std::env::var_os("PROPTEST_CASES").is_some();
    let config = if is_set { ProptestConfig::default() } else { ProptestConfig::with_cases(few) };
    // A failing input is shown whole; once fixed, it belongs into a table beside its kind.
    ProptestConfig { failure_persistence: None, ..config }
}

/// The inputs of the checks: what to mutate, and how.
fn input() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..64)
}

fn check(few: u32, holds: impl Fn(&[u8])) {
    let run = proptest::test_runner::TestRunner::new(cases(few)).run(&input(), |input| {
        holds(&input);
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn no_mutated_file_breaks_the_reader_or_the_live_state() {
    let files = RefCell::new(files::Files::new());
    check(2_000, |input| files.borrow_mut().save(input));
}

#[test]
fn every_mutated_body_has_a_documented_response() {
    let questions = RefCell::new(question::Questions::new());
    check(5_000, |input| questions.borrow_mut().ask(input));
}

#[test]
fn no_altered_token_is_accepted() {
    let tokens = token::Tokens::new();
    check(2_000, |input| tokens.present(input));
}

#[test]
fn no_malformed_head_disturbs_the_next_request() {
    const SERVICE: &str = "service";
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    // A connection that panics only looks like one that is closed.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(usize::from(thread::current().name() == Some(SERVICE)), Relaxed);
        hook(panic);
    }));
    let runtime = Builder::new_multi_thread().enable_all().thread_name(SERVICE).build().unwrap();
    let wire = runtime.block_on(wire::Wire::start());
    check(500, |input| {
        runtime.block_on(wire.send(input));
        assert_eq!(PANICS.swap(0, Relaxed), 0, "the service panics");
    });
}
