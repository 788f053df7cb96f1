//! A transport that sends no more than a platform allows, whatever is sent.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Budget, Quota, Request, Response, Ticket, Transport, TransportError};

/// Hears of every wait, before it.
pub type OnWait = Arc<dyn Fn(Duration) + Send + Sync>;

/// Keeps to one quota for all that goes over it. Everything that counts against one limit has to share a budget.
pub struct RateLimitTransport {
    inner: Arc<dyn Transport>,
    quota: Quota,
    budget: Arc<dyn Budget>,
    told: OnWait,
}

impl RateLimitTransport {
    pub fn new(inner: Arc<dyn Transport>, quota: Quota, budget: Arc<dyn Budget>, told: OnWait) -> Self {
        Self { inner, quota, budget, told }
    }

    /// Waits until another request fits.
    async fn admit(&self) -> Ticket {
        loop {
            let wait = match self.budget.take(self.quota) {
                Ok(ticket) => return ticket,
                Err(wait) => wait,
            };
            tracing::info!(wait_ms = wait.as_millis(), "waiting for the platform's limit");
            (self.told)(wait);
            tokio::time::sleep(wait).await;
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
            // Another hand has used up what there was, and nobody says for how long.
            if answer.as_ref().is_ok_and(|answer| answer.status == TOO_MANY && answer.retry_after.is_none()) {
                self.budget.used_up(self.quota);
            }
            answer
        })
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async { self.budget.give_back(self.admit().await) })
    }
}

/// "Too Many Requests".
const TOO_MANY: u16 = 429;

/// A budget of this process alone.
#[derive(Debug, Default)]
pub struct MemoryBudget(Mutex<(u64, BTreeMap<u64, Instant>)>);

impl Budget for MemoryBudget {
    fn take(&self, quota: Quota) -> Result<Ticket, Duration> {
        let now = Instant::now();
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, past) = &mut *guard;
        let age = |at: &Instant| now.saturating_duration_since(*at);
        past.retain(|_, at| quota.counts(age(at)));
        if let Some(wait) = quota.wait(past.values().map(age)) {
            return Err(wait);
        }
        *made += 1;
        past.insert(*made, now);
        Ok(Ticket(*made))
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
        let (made, past) = &mut *guard;
        past.clear();
        for _ in 0..quota.calls {
            *made += 1;
            past.insert(*made, Instant::now());
        }
    }
}
