//! The `rolecall` program. Everything is in the library.

/// Static binaries are linked with musl, whose allocator gives each piece of memory back to the system at once.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> std::process::ExitCode {
    rolecall::cli::main()
}
