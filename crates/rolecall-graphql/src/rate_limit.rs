//! A transport that never sends more requests than a platform allows.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Budget, Quota, Request, Response, Ticket, Transport, TransportError, trace};

/// A callback that gets every wait before it begins.
pub type OnWait = Arc<dyn Fn(Duration) + Send + Sync>;

/// Delays requests so that they keep to a [`Quota`] that is known beforehand. All transports whose requests count
/// against the same limit have to share one [`Budget`].
///
/// For example, a hub takes 10 requests a minute from each person, and a run reads three organisations with two
/// keys of that person. Each key has a transport of its own, and both transports share the budget: the first ten
/// requests are sent at once, and the eleventh waits until a minute after the first was answered. If the platform
/// refuses one all the same, another client uses the same limit. The next request then waits for as long as
/// the platform asks, or for a whole minute if it doesn't say.
pub struct RateLimitTransport {
    inner: Arc<dyn Transport>,
    quota: Quota,
    budget: Arc<dyn Budget>,
    on_wait: OnWait,
    /// The request that waits for the limit. Others wait behind it, so that a wait is told once.
    queue: tokio::sync::Mutex<()>,
}

impl RateLimitTransport {
    pub fn new(inner: Arc<dyn Transport>, quota: Quota, budget: Arc<dyn Budget>, on_wait: OnWait) -> Self {
        Self { inner, quota, budget, on_wait, queue: tokio::sync::Mutex::default() }
    }

    /// Waits until another request is within the limit, and counts it.
    async fn admit(&self) -> Ticket {
        let _turn = self.queue.lock().await;
        loop {
            let wait = match self.budget.take(self.quota) {
                Ok(ticket) => return ticket,
                Err(wait) => wait,
            };
            tracing::info!(wait_ms = wait.as_millis(), "waiting for the platform's limit");
            (self.on_wait)(wait);
            tokio::time::sleep(wait).instrument(trace::wait_span("rate-limit")).await;
        }
    }
}

impl Transport for RateLimitTransport {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(async move {
            let ticket = self.admit().await;
            let answer = self.inner.send(request).await;
            if let Err(TransportError::NotSent(_)) = answer {
                self.budget.give_back(ticket);
            } else {
                self.budget.answered(ticket);
            }
            // Another client has used up the limit, and the platform doesn't say for how long.
            let is_refused =
                |response: &Response| response.is_rate_limited() && response.requested_wait().is_none();
            if answer.as_ref().is_ok_and(is_refused) {
                self.budget.used_up(self.quota);
            }
            answer
        })
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async { self.budget.give_back(self.admit().await) })
    }
}

/// A budget of this process alone: the number of the last ticket, and when each counted request was sent.
#[derive(Debug, Default)]
pub struct MemoryBudget(Mutex<(u64, BTreeMap<u64, Instant>)>);

impl Budget for MemoryBudget {
    fn take(&self, quota: Quota) -> Result<Ticket, Duration> {
        let now = Instant::now();
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last_ticket, sent) = &mut *guard;
        let age = |at: &Instant| now.saturating_duration_since(*at);
        sent.retain(|_, at| quota.counts(age(at)));
        if let Some(wait) = quota.wait(sent.values().map(age)) {
            return Err(wait);
        }
        *last_ticket += 1;
        sent.insert(*last_ticket, now);
        Ok(Ticket(*last_ticket))
    }

    fn answered(&self, Ticket(ticket): Ticket) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = guard.1.get_mut(&ticket) {
            *at = Instant::now();
        }
    }

    fn give_back(&self, Ticket(ticket): Ticket) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&ticket);
    }

    fn used_up(&self, quota: Quota) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last_ticket, sent) = &mut *guard;
        sent.clear();
        for _ in 0..quota.requests {
            *last_ticket += 1;
            sent.insert(*last_ticket, Instant::now());
        }
    }
}
