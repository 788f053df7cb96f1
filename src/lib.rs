//! Access as code for SaaS organisations.
pub mod apply;
pub mod cli;
pub mod desired;
pub mod graphql;
pub mod ledger;
pub mod model;
pub mod plan;
pub mod provider;
pub mod report;
#[cfg(feature = "sandbox")]
pub mod sandbox;
