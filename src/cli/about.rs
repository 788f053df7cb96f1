//! `rolecall --version --verbose`: what this program was built from, and which formats it writes.

use rolecall_engine::ledger::LEDGER_VERSION;
use rolecall_model::FORMAT_VERSION;

/// Returns the commit that the program was built from. A build from a package knows none.
pub(super) fn commit() -> Option<&'static str> {
    option_env!("ROLECALL_COMMIT").filter(|commit| commit.len() == 40)
}

/// Returns the lines for a report of a bug.
pub(super) fn verbose_version() -> String {
    let features = [
        ("sandbox", cfg!(feature = "sandbox")),
        ("object-store", cfg!(feature = "object-store")),
        ("otlp", cfg!(feature = "otlp")),
    ];
    let features: Vec<&str> = features.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    format!(
        "rolecall {}
commit: {}
built for: {} {}
features: {features}
format of plans: {FORMAT_VERSION}
format of ledgers: {LEDGER_VERSION}
",
        env!("CARGO_PKG_VERSION"),
        commit().unwrap_or("unknown"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}
