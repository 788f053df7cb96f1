//! The rate limit: ten requests a minute for each user (docs.rapidapi.com, GraphQL Platform API Release Notes).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::world::World;

impl World {
    /// Counts a request of this user, with whichever key it was sent. If the limit is reached, returns the time
    /// until the next request is allowed. Refused requests don't count.
    pub(super) fn admit(&mut self, user: u64, now: Timestamp) -> Result<(), Duration> {
        let minute = SignedDuration::from_millis(self.switches.minute_millis);
        let limit = self.switches.rate_limit;
        if limit == 0 {
            return Ok(());
        }
        let requests = self.requests.entry(user).or_default();
        requests.retain(|at| now.duration_since(*at) < minute);
        if requests.len() >= limit {
            let oldest = requests.iter().min().map_or(SignedDuration::ZERO, |at| now.duration_since(*at));
            return Err(Duration::try_from(minute - oldest).unwrap_or_default());
        }
        requests.push(now);
        Ok(())
    }
}
