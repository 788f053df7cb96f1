//! The `rolecall` program. Everything is in the library.

fn main() -> std::process::ExitCode {
    rolecall::cli::main()
}
