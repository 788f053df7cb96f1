//! See `Cargo.toml`: this package has no code.
