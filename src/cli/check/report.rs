//! Findings for programs: one JSON object, SARIF 2.1.0 for code scanning, and GitHub's workflow
//! commands.
//!
//! None of them quotes a line of a file: such output ends in logs, and a line may name users.

use serde_json::json;

use super::checked::Checked;
use super::repository::Repository;
use crate::definition::{Code, Finding, SourceSpan};
use crate::display_text;

/// `{files, findings, notes, summary}`.
pub fn json(checked: &[Checked]) -> String {
    let finding = |(checked, finding): (&Checked, &Finding)| {
        json!({
            "code": finding.code.as_str(),
            "file": checked.path_of(&finding.file),
            "line": finding.place.map(|place| place.line),
            "column": finding.place.map(|place| place.column),
            "message": finding.message,
            "hint": finding.hint,
        })
    };
    let sum = |number: fn(&Checked) -> usize| checked.iter().map(number).sum::<usize>();
    let failed_tests = sum(Checked::failed_tests);
    let whole = json!({
        "files": checked.iter().flat_map(Checked::files).collect::<Vec<_>>(),
        "findings": errors(checked).map(finding).collect::<Vec<_>>(),
        "notes": notes(checked).map(finding).collect::<Vec<_>>(),
        "summary": {
            "good": checked.iter().all(Checked::is_good),
            "flags": sum(|checked| checked.flags),
            "segments": sum(|checked| checked.segments),
            "tests": sum(|checked| checked.tests),
            "errors": sum(|checked| checked.findings.len()) - failed_tests,
            "failedTests": failed_tests,
        },
    });
    format!("{whole:#}\n")
}

/// One run, with every code as a rule.
pub fn sarif(checked: &[Checked], repository: &Repository) -> String {
    let rule = |code: &Code| {
        json!({
            "id": code.as_str(),
            "shortDescription": { "text": code.says() },
            "help": { "text": code.help() },
        })
    };
    let result = |(checked, finding): (&Checked, &Finding)| {
        let file = uri(&repository.path_from_root(&checked.path_of(&finding.file)));
        let artifact = json!({ "uri": file });
        let place = match finding.place {
            None => json!({ "artifactLocation": artifact }),
            Some(SourceSpan { line, column, .. }) => {
                let region = json!({ "startLine": line, "startColumn": column });
                json!({ "artifactLocation": artifact, "region": region })
            }
        };
        json!({
            "ruleId": finding.code.as_str(),
            "ruleIndex": Code::ALL.iter().position(|code| *code == finding.code),
            "level": if finding.code.is_note() { "note" } else { "error" },
            "message": { "text": with_hint(finding) },
            "locations": [{ "physicalLocation": place }],
        })
    };
    let whole = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "turnout",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": Code::ALL.iter().map(rule).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": errors(checked).chain(notes(checked)).map(result).collect::<Vec<_>>(),
        }],
    });
    format!("{whole:#}\n")
}

/// One line per finding, which GitHub shows beside the changed line, and the verdicts, which GitHub
/// shows in its log.
pub fn github(checked: &[Checked], repository: &Repository) -> String {
    let command = |(checked, finding): (&Checked, &Finding)| {
        let place = finding
            .place
            .map(|place| format!(",line={},col={}", place.line, place.column))
            .unwrap_or_default();
        let (file, title) = (
            property(&repository.path_from_root(&checked.path_of(&finding.file))),
            property(finding.code.as_str()),
        );
        let level = if finding.code.is_note() { "notice" } else { "error" };
        format!("::{level} file={file}{place},title={title}::{}\n", data(&with_hint(finding)))
    };
    // A verdict names a path, which must not read as a command.
    let verdict =
        |checked: &Checked| format!("{}\n", display_text::lines(&data(&checked.verdict())));
    errors(checked).chain(notes(checked)).map(command).chain(checked.iter().map(verdict)).collect()
}

fn errors(checked: &[Checked]) -> impl Iterator<Item = (&Checked, &Finding)> {
    checked.iter().flat_map(|checked| checked.findings.iter().map(move |error| (checked, error)))
}

fn notes(checked: &[Checked]) -> impl Iterator<Item = (&Checked, &Finding)> {
    checked.iter().flat_map(|checked| checked.notes.iter().map(move |note| (checked, note)))
}

fn with_hint(finding: &Finding) -> String {
    format!("{}\nhelp: {}", finding.message, finding.hint)
}

/// A path as a URI reference: relative where the path is.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~');
    let encode =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    format!("{scheme}{}", path.bytes().map(encode).collect::<String>())
}

/// The text of a workflow command, escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command, escaped.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
