//! The program: see `reunite::shell::cli`.

fn main() -> std::process::ExitCode {
    reunite::shell::cli::run()
}
