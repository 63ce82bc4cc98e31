//! Tables of tests in `flags/tests/`: for more cases than a flag's own file should carry.
//!
//! A table is read against the flag it is about, so it is kept as a tree until it runs. A case that fails refuses a new form of the flag; a table that
//! cannot be read refuses nothing and is reported.

use std::sync::Arc;

use super::decode::Decoder;
use super::finding::{Code, Finding, Place};
use super::limits::MAX_CASES;
use super::shape::{Holds, Least, Shape, needs};
use super::test_case::{CASE_OF_TABLE, Tested, read_cases, run_cases};
use super::tree::{self, Node};
use crate::flag::{Definition, FlagKey};

/// A table file.
pub const TABLE: Shape = Shape {
    what: "a table of tests",
    keys: &[
        needs("flag", Holds::Pattern(FlagKey::PATTERN), "The flag the cases are about."),
        needs(
            "cases",
            Holds::List(&Holds::Record(&CASE_OF_TABLE), MAX_CASES),
            "Cases the flag must answer before it goes live.",
        ),
    ],
    least: Least::Nothing,
};

/// A table that is sound as far as can be said without its flag.
#[derive(Debug, PartialEq)]
pub struct Table {
    flag: FlagKey,
    flag_place: Place,
    root: Node,
}

pub fn read_table(file: &str, bytes: &[u8]) -> Result<Table, Vec<Finding>> {
    let root = tree::read(file, bytes).map_err(|finding| vec![finding])?;
    let mut d = Decoder::new(file);
    let flag = d.record(&root, &TABLE).and_then(|record| {
        let node = record.get("flag")?;
        Some((d.name::<FlagKey>(node, "a flag's key")?, node.place))
    });
    let findings = d.finish();
    match flag {
        Some((flag, flag_place)) if findings.is_empty() => Ok(Table { flag, flag_place, root }),
        _ => Err(findings),
    }
}

impl Table {
    pub fn flag(&self) -> &str {
        self.flag.as_str()
    }

    /// How many cases there are, and everything that is wrong with them or with what they get.
    pub fn run(&self, file: &str, definition: &Arc<Definition>) -> (usize, Vec<Finding>) {
        let mut d = Decoder::new(file);
        let tested = Tested { attributes: &definition.attributes, rules: &definition.rules, segments: &definition.segments };
        let cases = d.record(&self.root, &TABLE).and_then(|record| record.get("cases"));
        let cases = cases.map(|node| read_cases(&mut d, node, tested)).unwrap_or_default();
        let mut findings = d.finish();
        findings.extend(run_cases(file, definition, &cases));
        (cases.len(), findings)
    }

    /// The finding of a table whose flag there is not.
    pub fn without_flag(&self, file: &str) -> Finding {
        let message = format!("there is no flag `{}` to test", self.flag);
        Finding {
            place: Some(self.flag_place),
            ..Finding::of_file(file, Code::BadCase, message).with_hint("name a flag that has a file")
        }
    }
}
