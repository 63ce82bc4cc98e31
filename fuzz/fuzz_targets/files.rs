//! Files of the flags folder: flags, segments, lists of users, tables of tests.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/security/bytes/bend.rs"]
mod bend;
#[path = "../../tests/it/security/bytes/files.rs"]
mod files;

thread_local!(static FILES: RefCell<files::Files> = RefCell::new(files::Files::new()));

fuzz_target!(|input: &[u8]| FILES.with_borrow_mut(|files| files.save(input)));
