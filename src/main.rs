//! The `rolecall` program. Everything is in the library.

/// Most of the work makes and drops short texts, which this allocator does faster than the one of the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rolecall::cli::main()
}
