//! Runs the workflows and pipelines of `examples/ci` as GitHub and GitLab would, with stubs for the programs they call.

pub mod ended;
pub mod expression;
pub mod github;
pub mod gitlab;
pub mod jq;
pub mod pipeline;
pub mod repository;
pub mod stub;
pub mod workflow;
