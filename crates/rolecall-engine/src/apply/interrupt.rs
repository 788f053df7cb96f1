//! Interrupts: a run that is asked to stop doesn't wait for rate limits, which can take minutes.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;

use super::Apply;
use rolecall_model::OrganizationPlan;

/// A request to stop a run. Requests in flight are still completed.
#[derive(Debug, Default)]
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    /// Requests the shutdown. Returns whether it had been requested before.
    pub fn request(&self) -> bool {
        self.0.send_replace(true)
    }

    /// Returns whether a shutdown was requested.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until a shutdown is requested.
    pub async fn requested(&self) {
        // This can't fail: the sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}

/// The time that the last read of a run may take after a shutdown was requested.
const VERIFY_AFTER_SHUTDOWN: Duration = Duration::from_secs(5);

/// Waits for a future. Returns `None` if a shutdown is requested first.
pub(super) async fn unless_shutdown<T>(apply: &Apply<'_>, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = apply.shutdown.requested() => None,
    }
}

/// Waits until the rate limit allows another request. Returns false if a shutdown was requested.
pub(super) async fn may_send_now(apply: &Apply<'_>) -> bool {
    unless_shutdown(apply, apply.transport.ready()).await.is_some() && !apply.shutdown.is_requested()
}

/// Waits for the final verification, which may take only a short time once a shutdown was requested.
pub(super) async fn await_verification(
    apply: &Apply<'_>,
    verification: impl Future<Output = Result<OrganizationPlan, String>>,
) -> Result<OrganizationPlan, String> {
    let shutdown = async {
        apply.shutdown.requested().await;
        tokio::time::sleep(VERIFY_AFTER_SHUTDOWN).await;
    };
    tokio::select! {
        biased;
        verified = verification => verified,
        () = shutdown => Err("the run was interrupted before the last read".to_owned()),
    }
}
