//! Bodies of evaluation requests, sent to the real routes.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/security/bytes/bend.rs"]
mod bend;
#[path = "../../tests/it/security/bytes/question.rs"]
mod question;

thread_local!(static QUESTIONS: RefCell<question::Questions> = RefCell::new(question::Questions::new()));

fuzz_target!(|input: &[u8]| QUESTIONS.with_borrow_mut(|questions| questions.ask(input)));
