//! A transport that waits when the platform asks for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument as _;

use super::{OnWait, Request, Response, Transport, TransportError, trace};

/// Delays requests after the platform asks for it. The answer to one request delays all later ones.
///
/// For example, four requests are to be sent, and the first is answered with HTTP 429 and `Retry-After: 5`. No
/// request is sent for 5 s, and the interval between two requests becomes 100 ms. If the next answer is another
/// 429, it becomes 200 ms, then 400 ms, and 10 s at most. Every other answer shortens it by a quarter, and ends it
/// once it is down to 100 ms. An answer that says `RateLimit-Remaining: 0` and `RateLimit-Reset: 30` delays the
/// next request by 30 s, before the platform has to refuse one.
///
/// This transport never repeats a request: [`Backoff`](crate::Backoff) decides on that. It reacts to answers,
/// while [`RateLimitTransport`](crate::RateLimitTransport) keeps to a limit that is known beforehand.
pub struct BackpressureTransport {
    inner: Arc<dyn Transport>,
    limits: Mutex<ObservedLimits>,
    on_wait: OnWait,
}

/// The pace that the platform's answers have asked for so far.
#[derive(Debug, Default)]
struct ObservedLimits {
    /// No request is sent before this instant.
    not_before: Option<Instant>,
    /// The shortest time between two requests.
    interval: Duration,
    /// The instant at which the last request was sent.
    last_sent: Option<Instant>,
}

/// The interval between requests after the first refusal.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);

const LONGEST_INTERVAL: Duration = Duration::from_secs(10);

/// The longest wait that is granted. If the platform asks for more, there is no wait: the refused request fails,
/// and its error says how long the platform asked to wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

/// The wait after a rate limit without `Retry-After`.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

impl BackpressureTransport {
    pub fn new(inner: Arc<dyn Transport>, on_wait: OnWait) -> Self {
        Self { inner, limits: Mutex::default(), on_wait }
    }

    fn limits(&self) -> MutexGuard<'_, ObservedLimits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until another request may be sent. With `send_now` the caller sends one right away, so that its
    /// interval begins now.
    async fn wait(&self, send_now: bool) {
        loop {
            let Some(wait) = self.limits().wait(Instant::now(), send_now) else { return };
            tracing::info!(wait_ms = wait.as_millis(), "waiting as the platform asks");
            (self.on_wait)(wait);
            tokio::time::sleep(wait).instrument(trace::wait_span("backpressure")).await;
        }
    }
}

impl ObservedLimits {
    /// Returns the time until another request may be sent, or nothing if it may be sent now.
    fn wait(&mut self, now: Instant, send_now: bool) -> Option<Duration> {
        let after_last = self.last_sent.map(|last| last + self.interval).filter(|_| !self.interval.is_zero());
        let at = self.not_before.max(after_last).filter(|at| *at > now);
        if at.is_none() && send_now {
            self.last_sent = Some(now);
        }
        at.map(|at| at - now)
    }

    /// Stops all requests for a while, unless the wait is longer than [`MAX_RETRY_AFTER`].
    fn pause(&mut self, now: Instant, wait: Duration) {
        if wait <= MAX_RETRY_AFTER {
            self.not_before = self.not_before.max(Some(now + wait));
        }
    }

    /// Takes from an answer how fast the next requests may come.
    fn observe(&mut self, now: Instant, response: &Response) {
        let is_limited = response.is_rate_limited();
        if is_limited {
            self.interval = (self.interval * 2).clamp(FIRST_INTERVAL, LONGEST_INTERVAL);
        } else if response.retry_after.is_none() {
            self.interval = if self.interval > FIRST_INTERVAL { self.interval * 3 / 4 } else { Duration::ZERO };
        }
        if let Some(wait) = response.requested_wait().or(is_limited.then_some(DEFAULT_RETRY_AFTER)) {
            self.pause(now, wait);
        }
    }
}

impl Transport for BackpressureTransport {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(async move {
            self.wait(true).await;
            let answer = self.inner.send(request).await;
            if let Ok(response) = &answer {
                self.limits().observe(Instant::now(), response);
            }
            answer
        })
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            self.wait(false).await;
            self.inner.ready().await;
        })
    }
}
