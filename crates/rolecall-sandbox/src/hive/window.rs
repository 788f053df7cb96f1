//! How often one token may invite: kept by the process, not by the world.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const CALLS: usize = 6;
const WINDOW: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct InvitationWindow(Mutex<Vec<(String, Instant)>>);

impl InvitationWindow {
    /// Counts a call of this token, and says whether it is within the limit. What is refused counts as well.
    pub fn admits(&self, token: &str) -> bool {
        let now = Instant::now();
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A call from the future was made in another runtime, whose time has nothing to do with this one's.
        calls.retain(|(_, at)| now.checked_duration_since(*at).is_some_and(|since| since < WINDOW));
        let made = calls.iter().filter(|(other, _)| other == token).count();
        calls.push((token.to_owned(), now));
        made < CALLS
    }
}
