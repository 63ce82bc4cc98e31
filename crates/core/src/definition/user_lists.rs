//! Reads the lists of users in a segment and in an entry of a flag.

use std::borrow::Cow;

use bytes::Bytes;

use super::decode::{Decoder, Mapping};
use super::finding::Code;
use super::limits::MAX_NODES;
use super::schema_model::ValueKind;
use super::tree::Node;
use super::user_id::{BadId, bad_id};
use super::users_file::lines;
use crate::flag::{IdSet, MAX_ID_BYTES, Members};

/// Addresses and domains as far as a pattern can check; the reader checks blanks too.
pub const EMAIL: ValueKind = ValueKind::Pattern(r"[\s\S]+@[^@ *.][^@ *]*");
pub const DOMAIN: ValueKind = ValueKind::Pattern("[^@ *.][^@ *]*");

/// The lists in a record, as texts.
#[derive(Default)]
pub struct Lists<'n> {
    users: Vec<&'n str>,
    emails: Vec<String>,
    domains: Vec<String>,
}

impl<'n> Lists<'n> {
    pub const KEYS: [&'static str; 3] = ["users", "emails", "domains"];

    pub fn read(d: &mut Decoder, record: Mapping<'n>) -> Lists<'n> {
        let mut texts =
            |key| record.get(key).and_then(|node| d.list(node, key, MAX_NODES)).unwrap_or_default();
        let (users, emails, domains) = (texts("users"), texts("emails"), texts("domains"));
        Lists {
            users: users.iter().filter_map(|node| id(d, node)).collect(),
            emails: emails
                .iter()
                .filter_map(|node| address(d, node, is_address, help_for_address))
                .collect(),
            domains: domains
                .iter()
                .filter_map(|node| address(d, node, is_domain, help_for_domain))
                .collect(),
        }
    }

    /// Adds ids that stand elsewhere.
    pub fn add_users(&mut self, users: impl Iterator<Item = &'n str>) {
        self.users.extend(users);
    }

    pub fn members(self, users_file: Option<Bytes>) -> Members {
        let set = |texts: &[String]| texts.iter().map(String::as_str).collect();
        Members {
            users: self.user_set(users_file),
            emails: set(&self.emails),
            domains: set(&self.domains),
        }
    }

    fn user_set(&self, users_file: Option<Bytes>) -> IdSet {
        let Some(file) = users_file else { return self.users.iter().copied().collect() };
        IdSet::over(file.clone(), lines(&file), self.users.iter().copied())
    }
}

/// An id of a list. Its text is never part of a message.
fn id<'n>(d: &mut Decoder, node: &'n Node) -> Option<&'n str> {
    let text = d.scalar(node, "an id")?;
    if let Some(BadId { message, hint }) = bad_id(text) {
        d.report(node.place, Code::BadId, message, Some(hint.to_owned()));
        return None;
    }
    Some(text)
}

/// An address or domain, in ASCII lower case. The help never quotes it.
fn address(
    d: &mut Decoder,
    node: &Node,
    accepts: fn(&str) -> bool,
    help: fn(&str) -> Cow<'static, str>,
) -> Option<String> {
    let text = d.scalar(node, "an address")?;
    if !accepts(text) {
        d.report(
            node.place,
            Code::BadAddress,
            "not an address or domain as listed here",
            Some(help(text).into_owned()),
        );
        return None;
    }
    Some(text.to_ascii_lowercase())
}

/// What to write in the place of a text that is no address.
fn help_for_address(text: &str) -> Cow<'static, str> {
    match text {
        _ if text.len() > MAX_ID_BYTES => too_long(),
        _ if text.contains(char::is_whitespace) => "write one address alone, without blanks".into(),
        _ if text.rsplit_once('@').is_some_and(|(_, domain)| means_subdomains(domain)) => {
            "domains match exactly; list each address".into()
        }
        _ if is_domain(text.trim_start_matches('@')) => {
            "write a whole address, like jane@example.com; all of a domain stand under `domains`"
                .into()
        }
        _ => "write a whole address, like jane@example.com".into(),
    }
}

/// What to write in the place of a text that is no domain.
fn help_for_domain(text: &str) -> Cow<'static, str> {
    match text {
        _ if text.len() > MAX_ID_BYTES => too_long(),
        _ if text.contains(char::is_whitespace) => "write one domain alone, without blanks".into(),
        _ if text.strip_prefix('@').is_some_and(is_domain) => {
            "leave out the `@`: a domain has no `@`, as in example.com".into()
        }
        _ if is_address(text) => {
            "write what is behind the `@`, or list the whole address under `emails`".into()
        }
        _ if means_subdomains(text) => "domains match exactly; list each subdomain".into(),
        _ => "write a domain, like example.com".into(),
    }
}

fn too_long() -> Cow<'static, str> {
    format!("write at most {MAX_ID_BYTES} bytes").into()
}

/// A set stores up to [`MAX_ID_BYTES`] bytes of each entry, which no real address exceeds. A local
/// part may contain an `@` of its own, in quotes (RFC 5321).
fn is_address(text: &str) -> bool {
    let (name, domain) = text.rsplit_once('@').unwrap_or_default();
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    text.len() <= MAX_ID_BYTES && is_name && is_domain(domain)
}

fn is_domain(text: &str) -> bool {
    let is_text = !text.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control());
    (1..=MAX_ID_BYTES).contains(&text.len()) && is_text && !means_subdomains(text)
}

/// Domains match exactly, so a pattern for subdomains would match no user.
fn means_subdomains(text: &str) -> bool {
    text.starts_with('.') || text.contains('*')
}
