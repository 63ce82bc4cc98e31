//! Turns an event into a line in the queue.

use std::fmt::{self, Write};
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::colour::coloured;
use super::queue::LogQueue;
use super::record::{LogEvent, LogFormat};
use crate::clock;

/// Passes each event on as a line.
pub struct LogLayer {
    pub queue: Arc<LogQueue>,
    pub format: LogFormat,
    pub is_coloured: bool,
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let record = LogEvent {
            at_ms: clock::wall_ms(),
            level,
            target,
            message: parts.message,
            fields: parts.fields,
        };
        let line = record.line(self.format);
        self.queue.push(if self.is_coloured { coloured(&line) } else { line });
    }
}

/// The parts of an event.
#[derive(Default)]
struct Parts {
    message: String,
    fields: Map<String, Json>,
}

impl Parts {
    fn add(&mut self, field: &Field, value: impl Into<Json>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a `String` does not fail.
            let _ = write!(self.message, "{value:?}");
        } else {
            self.add(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            _ => self.add(field, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}
