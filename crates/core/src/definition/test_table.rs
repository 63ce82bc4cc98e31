//! Tables of tests in `flags/tests/`, for more cases than a flag's own file should contain.
//!
//! A table is read against the flag it tests, so it is kept as a tree until it runs. A case that
//! fails refuses a new form of the flag; a table that cannot be read refuses nothing and is
//! reported.

use super::decode::Decoder;
use super::finding::{Code, Finding, SourceSpan};
use super::limits::MAX_CASES;
use super::schema_model::{MapSchema, MinKeys, ValueKind, required};
use super::test_case::Case;
use super::test_case_reader::{CASE_OF_TABLE, Tested, read_cases};
use super::tree::{self, Kind, Node};
use crate::flag::{Definition, FlagKey};

/// A table file.
pub const TABLE: MapSchema = MapSchema {
    what: "a table of tests",
    keys: &[
        required("flag", ValueKind::Pattern(FlagKey::PATTERN), "The flag the cases are about."),
        required(
            "cases",
            ValueKind::List(&ValueKind::Record(&CASE_OF_TABLE), MAX_CASES),
            "Cases the flag must answer before it goes live.",
        ),
    ],
    least: MinKeys::Nothing,
};

/// A table that is sound as far as it can be checked without its flag.
#[derive(Debug, PartialEq)]
pub struct Table {
    flag: FlagKey,
    flag_place: SourceSpan,
    root: Node,
    cases: usize,
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
        Some((flag, flag_place)) if findings.is_empty() => {
            Ok(Table { flag, flag_place, cases: count_cases(&root), root })
        }
        _ => Err(findings),
    }
}

impl Table {
    pub fn flag(&self) -> &FlagKey {
        &self.flag
    }

    /// Where the table names its flag.
    pub fn place(&self) -> SourceSpan {
        self.flag_place
    }

    /// The most cases the table can have, counted without its flag, so that the cost of a run is
    /// known before it begins.
    pub fn cases(&self) -> usize {
        self.cases
    }

    /// The table's cases, read against this definition, and the findings of the table.
    pub fn read(&self, file: &str, definition: &Definition) -> (Vec<Case>, Vec<Finding>) {
        let mut d = Decoder::new(file);
        let tested = Tested {
            attributes: &definition.attributes,
            rules: &definition.rules,
            segments: &definition.segments,
        };
        let cases = d.record(&self.root, &TABLE).and_then(|record| record.get("cases"));
        let cases = cases.map(|node| read_cases(&mut d, node, tested)).unwrap_or_default();
        (cases, d.finish())
    }

    /// The finding of a table whose flag does not exist.
    pub fn without_flag(&self, file: &str) -> Finding {
        let message = format!("there is no flag `{}` to test", self.flag);
        Finding {
            place: Some(self.flag_place),
            ..Finding::of_file(file, Code::BadCase, message)
                .with_hint("name a flag that has a file")
        }
    }
}

/// `each` makes a case for every combination. Reading stops soon after [`MAX_CASES`], so counting
/// does too.
fn count_cases(root: &Node) -> usize {
    let Some(Kind::List(items)) = member(root, "cases").map(|node| &node.kind) else { return 0 };
    let of_item = |item: &Node| match member(item, "each").map(|node| &node.kind) {
        Some(Kind::Map(choices)) => choices.iter().fold(1, |product: usize, (_, values)| {
            let values = if let Kind::List(values) = &values.kind { values.len() } else { 0 };
            product.saturating_mul(values).min(MAX_CASES + 1)
        }),
        _ => 1,
    };
    items.iter().map(of_item).sum::<usize>().min(2 * MAX_CASES + 1)
}

fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Kind::Map(entries) = &node.kind else { return None };
    entries.iter().find(|(name, _)| *name.text == *key).map(|(_, node)| node)
}
