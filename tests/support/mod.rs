//! Support code that the test binaries share.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod bitpanda;
pub mod cli;
pub mod files;
pub mod hive;
pub mod keys;
pub mod objects;
pub mod paradime;
pub mod rapidapi;
pub mod receiver;
pub mod rig;
