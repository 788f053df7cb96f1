//! A transport that sends no more than a platform allows, whatever is sent.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Pace, Pacer, Request, Response, Transport, TransportError};

/// How far a run has come when it has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub pace: Pace,
    /// Requests sent so far.
    pub sent: usize,
    pub wait: Duration,
}

/// Hears of every wait.
pub type Told = Arc<dyn Fn(&Waiting) + Send + Sync>;

/// Keeps to one pace for all that goes over it. Everything that counts against one limit has to share one of these.
pub struct PacedTransport {
    inner: Arc<dyn Transport>,
    pace: Pace,
    pacer: Pacer,
    sent: AtomicUsize,
    told: Told,
}

/// All requests count alike.
const ANY: &str = "";

impl PacedTransport {
    pub fn new(inner: Arc<dyn Transport>, pace: Pace, told: Told) -> Self {
        Self { inner, pace, pacer: Pacer::default(), sent: AtomicUsize::new(0), told }
    }
}

impl Transport for PacedTransport {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(async move {
            let Self { inner, pace, pacer, sent, told } = self;
            pacer
                .wait_telling(ANY, *pace, |wait| {
                    told(&Waiting { pace: *pace, sent: sent.load(Ordering::Relaxed), wait });
                })
                .await;
            let answer = inner.send(request).await;
            sent.fetch_add(1, Ordering::Relaxed);
            // What never left doesn't count there.
            if !matches!(answer, Err(TransportError::NotSent(_))) {
                pacer.count(ANY).await;
            }
            answer
        })
    }
}
