//! How this program was started, for messages that say what to type.

/// `turnout` where the shell found it by that name; else the path it was started by, from the root.
pub fn program_name() -> String {
    let typed = std::env::args_os().next().unwrap_or_default();
    let is_path = typed.to_string_lossy().contains('/');
    let absolute = is_path.then(|| std::path::absolute(&typed).ok()).flatten();
    let name = absolute.map_or(typed, |path| path.into_os_string());
    let name = name.to_string_lossy();
    if name.is_empty() { "turnout".to_owned() } else { name.into_owned() }
}
