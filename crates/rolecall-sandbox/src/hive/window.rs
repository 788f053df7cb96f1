//! The rate limit of invitations for each token. The process keeps it, not the world.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const MAX_CALLS: usize = 6;
const WINDOW: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct InvitationWindow(Mutex<Vec<(String, Instant)>>);

impl InvitationWindow {
    /// Counts a call with this token. Returns whether it is within the limit. Refused calls count too.
    pub fn admits(&self, token: &str) -> bool {
        let now = Instant::now();
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A call in the future was recent in another runtime, whose clock is unrelated to this one's.
        calls.retain(|(_, at)| now.checked_duration_since(*at).is_some_and(|since| since < WINDOW));
        let recent = calls.iter().filter(|(other, _)| other == token).count();
        calls.push((token.to_owned(), now));
        recent < MAX_CALLS
    }
}
