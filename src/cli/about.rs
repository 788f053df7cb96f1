//! `rolecall --version --verbose`: what this program was built from, and which formats it writes.

use rolecall_engine::ledger::LEDGER_VERSION;
use rolecall_model::FORMAT_VERSION;

/// Returns the commit that the program was built from. A build from a package knows none.
pub(super) fn commit() -> Option<&'static str> {
    option_env!("ROLECALL_COMMIT").filter(|commit| commit.len() == 40)
}

/// Returns the lines for a report of a bug.
pub(super) fn verbose_version() -> String {
    let sandbox = if cfg!(feature = "sandbox") { "sandbox" } else { "none" };
    format!(
        "rolecall {}
commit: {}
built for: {} {}
features: {sandbox}
format of plans: {FORMAT_VERSION}
format of ledgers: {LEDGER_VERSION}
",
        env!("CARGO_PKG_VERSION"),
        commit().unwrap_or("unknown"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}
