//! What a demo's page gets: where to ask, what to type, and a session for each client.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::application::{Application, STREAM};
use super::folder::FLAG;
use super::hints::Command;
use super::ports::CLIENTS;

/// One demo, as its page sees it.
pub struct Site {
    /// Where the page is.
    pub address: SocketAddr,
    /// Where its clients ask.
    pub origins: Vec<String>,
    pub commands: Vec<Command>,
    pub application: Arc<Application>,
}

impl Site {
    /// What the page's script begins with.
    pub fn setup(&self) -> Json {
        json!({
            "flag": FLAG,
            "stream": STREAM,
            "clients": CLIENTS,
            "origins": self.origins,
            "commands": self.commands,
        })
    }

    /// Scripts and styles of the page's own, and answers of the demo's own server.
    pub fn content_security_policy(&self) -> String {
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            self.origins.join(" ")
        )
    }

    /// Whether a request names this machine: a page elsewhere may have a name that leads here.
    pub fn is_host(&self, host: &str) -> bool {
        let port = self.address.port();
        host == self.address.to_string() || host == format!("localhost:{port}")
    }
}
