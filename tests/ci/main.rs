//! Runs the workflows, pipelines and the action that users copy, their shell steps as they are, against the sandbox.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod action;
mod fleets;
mod pipelines;
mod remotes;
mod runner;
mod setup;
mod setup_gitlab;
#[path = "../support/mod.rs"]
mod support;
mod workflows;
