//! Carries out plans, and keeps the ledger of what was sent.
pub mod apply;
pub mod ledger;
