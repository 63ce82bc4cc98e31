//! A folder of good files, one of which is saved with other bytes again and again: properties that
//! must hold for any bytes.
//!
//! The tests of bad YAML, those of arbitrary bytes and the fuzzers share it.
#![allow(dead_code)] // Each uses its own part.

use std::sync::Arc;

use turnout_core::definition::{DefinitionSet, File, Finding, FlagFiles, Subject, Text};
use turnout_core::flag::{Definition, Segment};

pub const FLAG: &str = "build-events.yaml";
pub const SEGMENT: &str = "segments/internal.yaml";
pub const BUILD_EVENTS: &[u8] = include_bytes!("../../../../../flags/build-events.yaml");
pub const INTERNAL: &[u8] = include_bytes!("../../../../../flags/segments/internal.yaml");

pub fn file(bytes: &[u8]) -> File {
    File::Text(Text::new(bytes.to_vec()))
}

/// A definition set that has read a folder without a fault.
pub struct Shipped {
    definitions: DefinitionSet,
    folder: FlagFiles,
    good: Vec<Form>,
}

impl Shipped {
    /// The shipped files and further ones.
    pub fn with(more: &[(&str, &[u8])]) -> Shipped {
        let mut folder = FlagFiles::default();
        for (path, bytes) in [(FLAG, BUILD_EVENTS), (SEGMENT, INTERNAL)].iter().chain(more) {
            folder.files.insert((*path).to_owned(), file(bytes));
        }
        let mut definitions = DefinitionSet::default();
        assert_eq!(definitions.update(&folder), []);
        let good = forms(&definitions);
        Shipped { definitions, folder, good }
    }

    /// Saves one file with other bytes, next to the good others: the good form stays, or a
    /// completely valid new form is in force.
    pub fn save(&mut self, path: &str, bytes: &[u8], what: &str) -> Vec<Finding> {
        let mut contents = self.folder.clone();
        contents.files.insert(path.to_owned(), file(bytes));
        let findings = self.definitions.update(&contents);
        let now = forms(&self.definitions);
        if findings.is_empty() {
            let mut fresh = DefinitionSet::default();
            assert_eq!(fresh.update(&contents), [], "{what}: a fresh library refuses it");
            assert_eq!(now, forms(&fresh), "{what}: the new form depends on the old one");
            self.good = now;
            return findings;
        }
        let kept = now.len() == self.good.len()
            && now.iter().zip(&self.good).all(|(now, good)| now.is(good));
        assert!(kept, "{what}: it was refused, and yet something else is in force");
        for finding in &findings {
            check_place(finding, &contents)
                .unwrap_or_else(|fault| panic!("{what}: {fault}\n{}", bytes.escape_ascii()));
        }
        findings
    }
}

/// Every form that is in force.
fn forms(definitions: &DefinitionSet) -> Vec<Form> {
    let flags = definitions
        .flags()
        .filter_map(|(_, form)| form)
        .map(|(definition, _)| Form::Flag(definition));
    flags.chain(definitions.segments().cloned().map(Form::Segment)).collect()
}

/// The form of a subject that is in force.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    Flag(Arc<Definition>),
    Segment(Arc<Segment>),
}

impl Form {
    pub fn is(&self, other: &Form) -> bool {
        match (self, other) {
            (Form::Flag(mine), Form::Flag(theirs)) => Arc::ptr_eq(mine, theirs),
            (Form::Segment(mine), Form::Segment(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        }
    }
}

pub fn form(definitions: &DefinitionSet, file: &str) -> Option<Form> {
    if let Some(Subject::Flag(stem)) = FlagFiles::subject(file) {
        let (_, form) = definitions.flags().find(|(key, _)| key.as_str() == stem)?;
        form.map(|(definition, _)| Form::Flag(definition))
    } else if let Some(Subject::Segment(stem)) = FlagFiles::subject(file) {
        definitions
            .segments()
            .find(|segment| segment.key.as_str() == stem)
            .cloned()
            .map(Form::Segment)
    } else {
        None
    }
}

/// The bytes of a finding are in its file and start at its line and column: the bytes are used for
/// drawing, the line and column for naming.
pub fn check_place(finding: &Finding, contents: &FlagFiles) -> Result<(), String> {
    let (Some(place), Some(text)) = (finding.place, contents.text(&finding.file)) else {
        return Ok(());
    };
    if place.end as usize > text.bytes.len() || place.line == 0 || place.column == 0 {
        return Err(format!("{:?} stands outside its file: {place:?}", finding.code));
    }
    let Ok(text) = std::str::from_utf8(&text.bytes) else { return Ok(()) };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (start, end) = (place.start as usize, place.end as usize);
    if start > end || !text.is_char_boundary(start) || !text.is_char_boundary(end) {
        return Err(format!("{:?} covers the impossible bytes {start}..{end}", finding.code));
    }
    // A list of ids has lines; YAML has its own line ends.
    let is_yaml = FlagFiles::subject(&finding.file).is_some();
    let (mut line, mut column) = (1, 1);
    let mut before = text[..start].chars().peekable();
    while let Some(c) = before.next() {
        let ends_line = c == '\n' || (is_yaml && c == '\r' && before.peek() != Some(&'\n'));
        (line, column) = if ends_line { (line + 1, 1) } else { (line, column + 1) };
    }
    // Another byte order mark further on is a character or nothing, as the grammar has it there; it
    // is invisible.
    let column = if text[..start].contains('\u{feff}') { place.column } else { column };
    if (line, column) == (place.line, place.column) {
        Ok(())
    } else {
        Err(format!(
            "{:?} stands at {}:{} and covers bytes from {line}:{column}",
            finding.code, place.line, place.column
        ))
    }
}
