//! The settings of a demo's server: its own folder, free ports of this machine, and nothing of the
//! environment, which may hold the settings of a real server.

use clap::builder::Resettable;
use clap::{Args, Command, FromArgMatches};

use super::folder::DemoFolder;
use crate::config::{Config, ServeArgs};

/// `page` is the origin whose pages may ask.
pub fn config(folder: &DemoFolder, page: &str) -> Result<Config, String> {
    let command = ServeArgs::augment_args(Command::new("demo"))
        .mut_args(|argument| argument.env(Resettable::Reset));
    let path = |path: std::path::PathBuf| path.into_os_string();
    let typed = [
        "demo".into(),
        "--flags".into(),
        path(folder.flags()),
        "--data".into(),
        path(folder.data()),
        "--server-keys-file".into(),
        path(folder.server_keys()),
        "--listen".into(),
        "127.0.0.1:0".into(),
        "--admin-listen".into(),
        "127.0.0.1:0".into(),
        "--unverified".into(),
        "deny".into(),
        "--cors-origins".into(),
        page.into(),
    ];
    let typed = command.try_get_matches_from(typed).map_err(|error| error.to_string())?;
    let settings = ServeArgs::from_arg_matches(&typed).map_err(|error| error.to_string())?;
    settings.check().map_err(|errors| errors.to_string())
}
