//! Hostile flag and segment files: every class of bad YAML, each case with all the findings it must
//! give, in order, with their exact line and column.
//!
//! For each case a new definition set must report exactly these findings and have no good form of
//! the subject; a definition set that had a good form first must keep exactly that form and report
//! the same. A case that expects nothing only looks hostile.

mod conditions;
mod every_offset;
mod folders;
mod harness;
mod keys;
mod limits;
mod segments;
mod shipped;
mod speed;
mod structure;
mod tables;
mod test_blocks;
mod text;
mod types;
mod typing;
mod values;
mod wording;

use std::collections::BTreeSet;

use harness::{Case, check_all};
use turnout_core::definition::Code;

macro_rules! classes {
    ($($name:ident = $cases:path,)*) => {
        const CLASSES: &[(&str, fn() -> Vec<Case>)] = &[$((stringify!($name), $cases),)*];
        $(
            #[test]
            fn $name() {
                check_all($cases());
            }
        )*
    };
}

classes! {
    not_text = text::not_text,
    empty_and_truncated = text::empty_and_truncated,
    syntax = text::syntax,
    typing = typing::typing,
    left_out = typing::left_out,
    failing_tests = typing::failing_tests,
    documents_and_directives = structure::documents_and_directives,
    anchors_aliases_and_merges = structure::anchors_aliases_and_merges,
    tags = structure::tags,
    duplicate_keys = structure::duplicate_keys,
    unknown_keys = keys::unknown_keys,
    missing_keys = keys::missing_keys,
    wrong_types = types::wrong_types,
    shares = values::shares,
    strategies_and_baselines = values::strategies_and_baselines,
    names = values::names,
    conditions = conditions::conditions,
    numbers_and_durations = values::numbers_and_durations,
    segment_files = segments::segment_files,
    users_files = segments::users_files,
    named_segments = segments::named_segments,
    depth_size_and_count = limits::depth_size_and_count,
    test_blocks = test_blocks::test_blocks,
    tables = tables::tables,
    folders = folders::folders,
}

#[test]
fn every_class_has_at_least_ten_cases_with_names_of_their_own() {
    for (class, cases) in CLASSES {
        let cases = cases();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert!(cases.len() >= 10, "{class}: {} cases", cases.len());
        assert_eq!(names.len(), cases.len(), "{class}: two cases of one name");
    }
}

/// A new code needs a case here.
#[test]
fn every_code_is_expected_by_a_case() {
    let hit: BTreeSet<Code> =
        CLASSES.iter().flat_map(|(_, cases)| cases()).flat_map(|case| case.codes()).collect();
    // Only a machine that hashes wrongly gives the code of the self-test, and a note is given for
    // files that are sound.
    let expected = |code: &&Code| !code.is_note() && **code != Code::SelfTest;
    let never: Vec<&Code> =
        Code::ALL.iter().filter(expected).filter(|code| !hit.contains(code)).collect();
    assert!(never.is_empty(), "no case expects {never:?}");
}
