//! Applies plans, keeps the ledger of what was sent and what became of it, and writes files from what is live.
pub mod apply;
mod import;
mod lanes;
pub mod ledger;
mod pull;

pub use import::{Import, import};
pub use lanes::in_lanes;
pub use pull::{Pull, PulledText, pull};
