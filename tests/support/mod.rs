//! What the tests share.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod bitpanda;
pub mod cli;
#[cfg(unix)]
pub mod ended;
#[cfg(unix)]
pub mod expression;
#[cfg(unix)]
pub mod github;
#[cfg(unix)]
pub mod gitlab;
pub mod hive;
#[cfg(unix)]
pub mod jq;
pub mod paradime;
#[cfg(unix)]
pub mod pipeline;
pub mod rapidapi;
pub mod receiver;
#[cfg(unix)]
pub mod repository;
pub mod rig;
#[cfg(unix)]
pub mod stub;
#[cfg(unix)]
pub mod workflow;
