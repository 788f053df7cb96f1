//! Applies plans, and keeps the ledger of what was sent and what became of it.
pub mod apply;
pub mod ledger;
