//! A transport that holds back when the platform asks for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{OnWait, RateLimit, Request, Response, Transport, TransportError};

/// What one request is told holds for all that go over it: nothing is sent before the time that the platform names, and
/// after each refusal for coming too fast the next ones come at larger intervals, which shrink again as they are
/// answered.
pub struct BackpressureTransport {
    inner: Arc<dyn Transport>,
    quota: Mutex<ObservedLimits>,
    told: OnWait,
}

/// What the platform's answers have taught.
#[derive(Debug, Default)]
struct ObservedLimits {
    /// Nothing is sent before.
    not_before: Option<Instant>,
    /// Between one request and the next.
    interval: Duration,
    /// When the last one was sent.
    last: Option<Instant>,
}

/// Between requests, after the first refusal.
const FIRST: Duration = Duration::from_millis(100);

const LONGEST_INTERVAL: Duration = Duration::from_secs(10);

/// Whoever asks for more is not waited for: the call fails, and says so.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

/// Where no time is named.
const UNNAMED: Duration = Duration::from_secs(1);

const TOO_MANY: u16 = 429;

const UNAVAILABLE: u16 = 503;

impl BackpressureTransport {
    pub fn new(inner: Arc<dyn Transport>, told: OnWait) -> Self {
        Self { inner, quota: Mutex::default(), told }
    }

    fn learnt(&self) -> MutexGuard<'_, ObservedLimits> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until another request may go, which takes its turn if it is to go now.
    async fn wait(&self, goes: bool) {
        loop {
            let Some(wait) = self.learnt().wait(Instant::now(), goes) else { return };
            tracing::info!(wait_ms = wait.as_millis(), "waiting as the platform asks");
            (self.told)(wait);
            tokio::time::sleep(wait).await;
        }
    }
}

impl ObservedLimits {
    /// How long until another one may go. None: now.
    fn wait(&mut self, now: Instant, goes: bool) -> Option<Duration> {
        let next = self.last.map(|last| last + self.interval).filter(|_| !self.interval.is_zero());
        let at = self.not_before.max(next).filter(|at| *at > now);
        if at.is_none() && goes {
            self.last = Some(now);
        }
        at.map(|at| at - now)
    }

    fn hold(&mut self, now: Instant, wait: Duration) {
        if wait <= MAX_RETRY_AFTER {
            self.not_before = self.not_before.max(Some(now + wait));
        }
    }

    fn learn(&mut self, now: Instant, answer: &Response) {
        if answer.status == TOO_MANY {
            self.hold(now, answer.retry_after.unwrap_or(UNNAMED));
            self.interval = (self.interval * 2).clamp(FIRST, LONGEST_INTERVAL);
        } else if let (UNAVAILABLE, Some(wait)) = (answer.status, answer.retry_after) {
            self.hold(now, wait);
        } else {
            self.interval = if self.interval > FIRST { self.interval * 3 / 4 } else { Duration::ZERO };
        }
        if let Some(RateLimit { remaining: 0, reset }) = answer.rate_limit {
            self.hold(now, reset);
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
            if let Ok(answer) = &answer {
                self.learnt().learn(Instant::now(), answer);
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
