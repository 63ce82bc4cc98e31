//! Where keys come from: a file, or one fixed address. `key_refresh` decides how often to read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};

use crate::http_client::{client_for, is_loopback};

use super::file_reader::FileReader;
use super::source_error::{MAX_SOURCE_BYTES, ReadError};

/// How long an issuer may take to answer.
const ANSWER_AT_MOST: Duration = Duration::from_secs(5);

/// A place that holds keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    /// `https`, or `http` on this machine itself.
    Url(Url),
}

/// The text does not name a source of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    #[error("keys fetched over http could be anybody's; write https://…")]
    NotHttps,
    #[error("an address of keys holds no user and no password")]
    Credentials,
    #[error("this is not an address; write a file's path or https://…")]
    NoUrl,
}

impl Source {
    /// A path, or an address if the text begins like one.
    pub fn parse(text: &str) -> Result<Source, BadSource> {
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("https:") && !lower.starts_with("http:") {
            return Ok(Source::File(text.into()));
        }
        let url = Url::parse(text).map_err(|_| BadSource::NoUrl)?;
        match url.scheme() {
            _ if !url.username().is_empty() || url.password().is_some() => {
                Err(BadSource::Credentials)
            }
            "http" if !is_loopback(&url) => Err(BadSource::NotHttps),
            _ => Ok(Source::Url(url)),
        }
    }
}

/// Shows an address without its query, in which some services expect a key.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Url(url) => {
                write!(f, "{}{}", url.origin().ascii_serialization(), url.path())
            }
        }
    }
}

/// Reads one source again and again.
pub enum Reader {
    File(FileReader),
    Url(Client, Url),
}

impl Reader {
    pub fn of(source: &Source) -> Result<Reader, ReadError> {
        match source {
            Source::File(path) => Ok(Reader::File(FileReader::of(path))),
            Source::Url(url) => {
                let client = client_for(url)
                    .timeout(ANSWER_AT_MOST)
                    .user_agent(concat!("turnout/", env!("CARGO_PKG_VERSION")));
                Ok(Reader::Url(client.build().map_err(why)?, url.clone()))
            }
        }
    }

    pub async fn read(&self) -> Result<Vec<u8>, ReadError> {
        match self {
            Reader::File(file) => file.read().await,
            Reader::Url(client, url) => fetch(client, url).await,
        }
    }
}

async fn fetch(client: &Client, url: &Url) -> Result<Vec<u8>, ReadError> {
    let mut response = client.get(url.clone()).send().await.map_err(why)?;
    if response.status() != StatusCode::OK {
        return Err(ReadError::Status(response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(why)? {
        if bytes.len() + chunk.len() > MAX_SOURCE_BYTES {
            return Err(ReadError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The innermost cause, without the address: that is shown besides already, without its query.
fn why(error: reqwest::Error) -> ReadError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    ReadError::Fetch(cause.to_string())
}
