//! Draws findings for a person at a terminal: the place, the line of the file, and the fix.
//!
//! Only for users who have the files anyway: a line of a flag file may name users, so a log gets
//! [`Finding`]'s one line instead.

use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::files::FlagFiles;
use super::finding::{Finding, SourceSpan};
use crate::display_text;

/// A finding with its source. `shown` turns a path inside the folder into the one to print; lines of the
/// source are cut to `columns`, if there are so many.
pub fn render(
    finding: &Finding,
    contents: &FlagFiles,
    shown: impl Fn(&str) -> String,
    colour: bool,
    columns: Option<usize>,
) -> String {
    let path = display_text::path(Path::new(&shown(&finding.file)));
    let source = source(finding, contents);
    let level = if finding.code.is_note() { Level::NOTE } else { Level::ERROR };
    let title = level.primary_title(&*finding.message).id(finding.code.as_str());
    let mut group = match (&source, finding.place) {
        (Some(source), Some(place)) => {
            let annotation = AnnotationKind::Primary.span(span(source, place));
            title.element(Snippet::source(source).path(&path).annotation(annotation))
        }
        (_, Some(place)) => title.element(
            Origin::path(&path).line(place.line as usize).char_column(place.column as usize),
        ),
        (_, None) => title.element(Origin::path(&path)),
    };
    group = group.element(Level::HELP.message(&*finding.hint));
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = match columns {
        Some(columns) => renderer.term_width(columns),
        None => renderer,
    };
    renderer.render(&[group])
}

/// The text of a YAML file; ids of a `users_file` are never shown.
fn source(finding: &Finding, contents: &FlagFiles) -> Option<String> {
    FlagFiles::subject(&finding.file)?;
    let text = std::str::from_utf8(&contents.text(&finding.file)?.bytes).ok()?;
    // A carriage return would break the drawing; columns count the characters before it.
    Some(display_text::of_same_length(text.strip_prefix('\u{feff}').unwrap_or(text)).into_owned())
}

/// The range to underline: the finding's span within its first line, and at least one character.
fn span(source: &str, place: SourceSpan) -> std::ops::Range<usize> {
    let start = (place.start as usize).min(source.len());
    let line_end = source[start..].find(['\r', '\n']).map_or(source.len(), |at| start + at);
    let end = (place.end as usize).clamp(start, line_end);
    let one_more = source[start..line_end].chars().next().map_or(start, |c| start + c.len_utf8());
    start..end.max(one_more)
}
