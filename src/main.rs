//! The `turnout` command; all it does is in the library, where tests reach it.

fn main() -> std::process::ExitCode {
    turnout::cli::run()
}
