//! The format of a line: text for people, or one JSON object a line for programs.

use serde_json::{Map, Value as Json};
use tracing::Level;

use super::target;
use crate::clock;
use crate::display_text;

/// The most bytes of a message and of the text of a field.
const MAX_MESSAGE_BYTES: usize = 8 * 1024;
const MAX_FIELD_BYTES: usize = 1024;

/// The format of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level, target and message. The messages of this service are complete without their
    /// fields.
    #[default]
    Text,
    /// The same with the fields, as one object.
    Json,
}

/// One event.
#[derive(Debug)]
pub struct LogEvent<'a> {
    pub at_ms: i64,
    pub level: Level,
    pub target: &'a str,
    pub message: String,
    pub fields: Map<String, Json>,
}

impl LogEvent<'_> {
    /// One complete line, whatever characters the event contains.
    pub fn line(mut self, format: LogFormat) -> String {
        shorten(&mut self.message, MAX_MESSAGE_BYTES);
        for value in self.fields.values_mut() {
            if let Json::String(text) = value {
                shorten(text, MAX_FIELD_BYTES);
            }
        }
        match format {
            LogFormat::Text => self.text(),
            LogFormat::Json => self.json(),
        }
    }

    fn text(&self) -> String {
        let LogEvent { level, target, message, .. } = self;
        let mut line = format!("{} {level} {target}: {message}", time(self.at_ms));
        if !target.starts_with(target::SERVICE) {
            self.fields.iter().for_each(|(name, value)| line.push_str(&format!(" {name}={value}")));
        }
        format!("{}\n", display_text::line(&line))
    }

    fn json(self) -> String {
        let mut object = Map::new();
        object.insert("timestamp".to_owned(), time(self.at_ms).into());
        object.insert("level".to_owned(), self.level.as_str().into());
        object.insert("target".to_owned(), self.target.into());
        object.insert("message".to_owned(), self.message.into());
        object.extend(self.fields);
        // Escaped as inside a string: one-line JSON has no such character anywhere else.
        format!("{}\n", display_text::line(&Json::Object(object).to_string()))
    }
}

/// `2026-11-23T08:15:00.042Z`.
fn time(at_ms: i64) -> String {
    let seconds = clock::utc(at_ms);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), at_ms.rem_euclid(1000))
}

fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(message: &str, target: &'static str) -> LogEvent<'static> {
        let fields = [("feature_flag.key".to_owned(), Json::from("chat"))].into_iter().collect();
        LogEvent {
            at_ms: 1_795_767_300_042,
            level: Level::WARN,
            target,
            message: message.to_owned(),
            fields,
        }
    }

    #[test]
    fn text_has_time_level_target_and_message() {
        let line = record("chat waits", target::CONTROL).line(LogFormat::Text);
        assert_eq!(line, "2026-11-27T08:15:00.042Z WARN turnout::control: chat waits\n");
        let line = record("slow statement", "library::part").line(LogFormat::Text);
        assert_eq!(
            line,
            "2026-11-27T08:15:00.042Z WARN library::part: slow statement feature_flag.key=\"chat\"\n"
        );
    }

    #[test]
    fn json_has_the_fields_too() {
        let line = record("chat waits", target::CONTROL).line(LogFormat::Json);
        let object: Json = serde_json::from_str(&line).unwrap();
        assert_eq!(
            object,
            serde_json::json!({
                "timestamp": "2026-11-27T08:15:00.042Z",
                "level": "WARN",
                "target": "turnout::control",
                "message": "chat waits",
                "feature_flag.key": "chat",
            })
        );
    }

    #[test]
    fn an_event_is_one_plain_line_whatever_it_holds() {
        let message = "a\nb\u{1b}[31mc\u{9b}d\u{202e}e\u{2028}f\u{7f}";
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = record(message, target::CONTROL).line(format);
            assert!(!line.trim_end_matches('\n').contains(display_text::is_hidden), "{line:?}");
            assert_eq!(line.matches('\n').count(), 1);
        }
        let object: Json =
            serde_json::from_str(&record(message, target::CONTROL).line(LogFormat::Json)).unwrap();
        assert_eq!(object["message"], message, "JSON keeps what text cannot show");
        let long = record(&"é".repeat(MAX_MESSAGE_BYTES), target::CONTROL).line(LogFormat::Text);
        assert!(long.len() < MAX_MESSAGE_BYTES + 100 && long.ends_with("…\n"));
    }
}
