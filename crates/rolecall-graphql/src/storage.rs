//! What outlives a run: answers that hold for days, answers of a read that broke off, and requests that still count.

use std::time::Duration;

use serde_json::Value;

use super::Quota;

/// Answers that don't change for days.
pub trait ResponseCache: Send + Sync {
    fn get(&self, name: &str) -> Option<Value>;
    fn put(&self, name: &str, answer: &Value);
    fn forget(&self, name: &str);
}

/// Answers that a read got before it broke off, so that the next one goes on there.
pub trait ReadCheckpoint: Send + Sync {
    /// One that an earlier run got. It is given once: whoever asks again wants to know what is so now.
    fn take(&self, asked: &str) -> Option<Value>;
    fn keep(&self, asked: &str, answer: &Value);
}

/// Tells one request from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub u64);

/// Requests that count against a limit.
pub trait Budget: Send + Sync {
    /// Takes one, or says how long to wait before asking again.
    fn take(&self, quota: Quota) -> Result<Ticket, Duration>;
    /// It was answered: it may have arrived as late as now.
    fn answered(&self, ticket: Ticket);
    /// It never left.
    fn give_back(&self, ticket: Ticket);
    /// The platform says that there are none left, whoever took them: it has to be taken at its word for a window.
    fn used_up(&self, quota: Quota);
}
