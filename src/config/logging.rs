//! Settings about the lines on stderr.

use super::BadSettings;
use crate::telemetry::{LogFilter, LogFormat, LogSettings};

/// As text, from flags or the environment. An empty value counts as not set.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Logging {
    /// What is said on stderr: off, error, warn, info, debug or trace, and TARGET=LEVEL for parts
    /// of the service, comma separated
    #[arg(long = "log", value_name = "FILTER", env = "TURNOUT_LOG", default_value = "info")]
    pub filter: String,

    /// How it is said: text, or json with one object a line
    #[arg(
        long = "log-format",
        value_name = "text|json",
        env = "TURNOUT_LOG_FORMAT",
        default_value = "text"
    )]
    pub format: String,
}

impl Logging {
    pub fn check(&self) -> Result<LogSettings, BadSettings> {
        let mut errors = Vec::new();
        let filter = match &*self.filter {
            "" => LogFilter::default(),
            text => text.parse().unwrap_or_else(|error| {
                errors.push(format!("TURNOUT_LOG: {error}"));
                LogFilter::default()
            }),
        };
        let format = match &*self.format {
            "" | "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                errors.push(format!(
                    "TURNOUT_LOG_FORMAT: `{other}` is not a format; use text or json"
                ));
                LogFormat::Text
            }
        };
        if errors.is_empty() {
            Ok(LogSettings { filter, format })
        } else {
            Err(BadSettings(errors))
        }
    }
}
