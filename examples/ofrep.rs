//! A client of the OpenFeature Remote Evaluation Protocol (OFREP): asks one flag for one user, and
//! prints the value and the reason.
//!
//! ```sh
//! cargo run -- serve
//! cargo run --example ofrep -- http://127.0.0.1:7070 build-events u-1
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example prints, and knows only the public calls"
)]

use std::error::Error;

use reqwest::Client;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, flag, user] = arguments.as_slice() else {
        return Err("usage: ofrep URL FLAG USER".into());
    };
    println!("{}", ask(&Client::new(), url, flag, user).await?);
    Ok(())
}

/// The value of a flag and the reason for it, in one line.
///
/// A program that gets an error uses its own default value: OFREP never sends one.
pub async fn ask(
    client: &Client,
    url: &str,
    flag: &str,
    user: &str,
) -> Result<String, Box<dyn Error>> {
    // The user stands in the body: an address would be logged on the way.
    let question = json!({ "context": { "targetingKey": user } });
    let address = format!("{url}/ofrep/v1/evaluate/flags/{flag}");
    let response = client.post(address).json(&question).send().await?;
    let status = response.status();
    let answer: Value = response.json().await?;
    let text = |member: &str| answer[member].as_str().unwrap_or_default().to_owned();
    if !status.is_success() {
        return Err(format!("{status} {}: {}", text("errorCode"), text("errorDetails")).into());
    }
    Ok(format!("{}, because {}", text("value"), text("reason")))
}
