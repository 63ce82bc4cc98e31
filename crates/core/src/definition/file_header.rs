//! What every flag and segment file begins with: the version of the format and the key.

use super::decode::{Decoder, Mapping};
use super::finding::Code;
use super::tree::Kind;
use crate::flag::BadName;

pub fn check_version(d: &mut Decoder, record: Mapping) {
    let Some(node) = record.get("version") else { return };
    if !matches!(&node.kind, Kind::Scalar { text, plain: true } if &**text == "1") {
        let hint = "write `version: 1`".to_owned();
        d.report(
            node.place,
            Code::UnsupportedVersion,
            "this build reads version 1 of the format",
            Some(hint),
        );
    }
}

/// Checks that the key in a file is the one of its name: a copied file must not answer for another
/// flag.
pub fn check_key<T>(d: &mut Decoder, record: Mapping, what: &str, stem: &str) -> Option<T>
where
    T: std::str::FromStr<Err = BadName>,
{
    let node = record.get(what)?;
    let text = d.scalar(node, &format!("`{what}`"))?;
    let key = d.parsed_name(text, node.place, &format!("a {what}'s key"))?;
    if text != stem {
        let message = format!("the file is called `{stem}.yaml`, the {what} in it `{text}`");
        d.report(
            node.place,
            Code::NameMismatch,
            message,
            Some(format!("write `{what}: {stem}`, or rename the file")),
        );
    }
    Some(key)
}
