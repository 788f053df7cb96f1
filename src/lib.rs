//! Access as code for SaaS organisations: the command line and the reports. The rest are the crates below `crates`.
pub mod cli;
pub mod report;
