//! Settings about who is sent every change.

use super::BadSettings;
use crate::auth::SigningKey;
use crate::webhook::{AddressPolicy, Target, WebhookConfig};

/// As text, from flags or the environment. An empty value counts as not set.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WebhookArgs {
    /// The https address every change is posted to, signed; goes with --webhook-secret-file
    // Its path may hold a secret of the receiver's.
    #[arg(
        long,
        value_name = "URL",
        env = "TURNOUT_WEBHOOK_URL",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub webhook_url: String,

    /// The secret that what is posted is signed with: a file of at least 32 bytes
    #[arg(
        long,
        value_name = "FILE",
        env = "TURNOUT_WEBHOOK_SECRET_FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub webhook_secret_file: String,
}

impl WebhookArgs {
    /// Both or neither: a receiver cannot trust what is not signed.
    pub fn check(&self) -> Result<Option<WebhookConfig>, BadSettings> {
        let mut errors = Vec::new();
        let (url, file) = (&self.webhook_url, &self.webhook_secret_file);
        match (url.is_empty(), file.is_empty()) {
            (true, true) => return Ok(None),
            (false, true) => errors.push(
                "TURNOUT_WEBHOOK_URL: a webhook also needs TURNOUT_WEBHOOK_SECRET_FILE".to_owned(),
            ),
            (true, false) => errors.push(
                "TURNOUT_WEBHOOK_SECRET_FILE: a webhook also needs TURNOUT_WEBHOOK_URL".to_owned(),
            ),
            (false, false) => {}
        }
        let target = (!url.is_empty()).then(|| Target::parse(url, AddressPolicy::Public));
        let target = target.and_then(|target| {
            target.map_err(|error| errors.push(format!("TURNOUT_WEBHOOK_URL: {error}"))).ok()
        });
        let key = (!file.is_empty()).then(|| SigningKey::read(file.as_ref()));
        let key = key.and_then(|key| {
            key.map_err(|error| {
                errors.push(format!("TURNOUT_WEBHOOK_SECRET_FILE: {file}: {error}"));
            })
            .ok()
        });
        match (target, key) {
            (Some(target), Some(key)) if errors.is_empty() => {
                Ok(Some(WebhookConfig { target, key }))
            }
            _ => Err(BadSettings(errors)),
        }
    }
}
