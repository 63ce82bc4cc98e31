//! Session tokens: altered tokens, and valid signatures over arbitrary bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/security/bytes/bend.rs"]
mod bend;
#[path = "../../tests/support/issuer.rs"]
#[allow(dead_code)]
mod issuer;
#[path = "../../tests/it/security/bytes/token.rs"]
mod token;

thread_local!(static TOKENS: token::Tokens = token::Tokens::new());

fuzz_target!(|input: &[u8]| TOKENS.with(|tokens| tokens.present(input)));
