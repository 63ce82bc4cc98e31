//! What Turnout's two listeners take and answer.
//!
//! Each message is one type: the server writes it, the command line reads it, and the OpenAPI
//! documents are derived from it. The order of a type's fields is the order of the members on the
//! wire. Types stand together by what they speak of; nothing here does IO, and nothing here depends
//! on another part of Turnout.
//!
//! | module | of which |
//! |---|---|
//! | [`strategy`] | the strategy document, and the words in it |
//! | [`question`] | what a client asks with |
//! | [`feeds`] | events of a stream, a publish, the streams of a flag |
//! | [`realtime`] | what a realtime stream says |
//! | [`sessions`] | sessions and tokens that Turnout signs |
//! | [`ofrep`] | the OpenFeature Remote Evaluation Protocol |
//! | [`reports`] | how following went, as clients report it |
//! | [`watch`] | events of a stream, and their acknowledgement |
//! | [`problem`] | what an error says, and its code |
//! | [`probes`] | whether the service runs |
//! | [`admin`] | the admin listener |
//! | [`strict`] | reads a body, and refuses what is not known |
//! | [`bounds`] | how long a message and its parts may be |
//! | [`schema`] | schemas that several types name |

pub mod admin;
pub mod bounds;
pub mod feeds;
mod integer;
mod members;
pub mod ofrep;
pub mod probes;
pub mod problem;
pub mod question;
pub mod realtime;
pub mod reports;
pub mod schema;
pub mod sessions;
pub mod strategy;
pub mod strict;
pub mod watch;
mod words;

pub use words::UnknownWord;
