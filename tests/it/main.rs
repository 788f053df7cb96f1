//! Integration tests: the program and its crates, one module for each thing that users rely on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod apply_program;
mod bad_input;
mod cli;
mod comments;
mod distribution;
mod docs;
mod documents;
mod drift;
mod every_platform;
mod execution;
mod guardrails;
mod help;
mod hive;
mod hive_sandbox;
mod http;
mod killed;
mod layout;
mod ledger;
mod notify;
mod pacing;
mod paradime;
mod paradime_sandbox;
mod partial;
mod progress;
mod rapidapi;
mod rapidapi_accounts;
mod rapidapi_credentials;
mod rapidapi_doubts;
mod rapidapi_invitations;
mod rapidapi_organization;
mod rapidapi_program;
mod rapidapi_requests;
mod rapidapi_sandbox;
mod reports;
mod resuming;
mod sandbox_store;
mod scenarios;
mod schemas;
mod shown_changes;
#[path = "../support/mod.rs"]
mod support;
mod trust;
mod undo_program;
mod vendor_pages;
mod walls;
