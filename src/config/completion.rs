//! What a shell asks that completes a command: its script sets the variables, and types the words
//! behind `--`.

use std::ffi::OsString;
use std::path::PathBuf;

/// The variable that the script sets to the name of its shell.
pub const COMPLETION_VARIABLE: &str = "TURNOUT_COMPLETE";
/// The variable in which some shells say which word is being typed.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";

/// A shell's question.
pub struct CompletionRequest {
    pub shell: String,
    /// The words, the program's name first.
    pub typed: Vec<OsString>,
    /// Which of them is being typed.
    pub index: usize,
    /// The folder it is typed in.
    pub folder: Option<PathBuf>,
    /// The folder of flags.
    pub flags: PathBuf,
}

impl CompletionRequest {
    /// `None` where no shell asks.
    pub fn read() -> Option<CompletionRequest> {
        let value = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let shell = value(COMPLETION_VARIABLE)?.to_string_lossy().into_owned();
        let words = std::env::args_os().skip_while(|word| word != "--");
        let typed: Vec<OsString> = words.skip(1).collect();
        let index = value(INDEX).and_then(|index| index.to_str()?.parse().ok());
        let index = index.unwrap_or(typed.len().saturating_sub(1));
        let flags = value("TURNOUT_FLAGS").map_or_else(|| "./flags".into(), PathBuf::from);
        Some(CompletionRequest { shell, typed, index, folder: std::env::current_dir().ok(), flags })
    }
}
