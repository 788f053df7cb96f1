//! Whoever ends a run doesn't wait for a limit, which can take minutes.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;

use super::{Apply, FinalState};

/// Somebody's desired that a run end after what is in flight.
#[derive(Debug, Default)]
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    /// Says whether it was wished before.
    pub fn request(&self) -> bool {
        self.0.send_replace(true)
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    pub async fn wished(&self) {
        // It can't end without one: whoever could desired it is here.
        let _ = self.0.subscribe().wait_for(|wished| *wished).await;
    }
}

/// For a last look at what became of it.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Waits for something that may be given up. None: somebody ended the run.
pub(super) async fn unless<T>(apply: &Apply<'_>, waited: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = waited => Some(value),
        () = apply.shutdown.wished() => None,
    }
}

/// Waits until the platform's limit lets another request through, or somebody ends the run.
pub(super) async fn may_send_now(apply: &Apply<'_>) -> bool {
    unless(apply, apply.transport.ready()).await.is_some() && !apply.shutdown.is_requested()
}

/// How live stands, if that can be seen in short time.
pub(super) async fn last_look(apply: &Apply<'_>, settled: impl Future<Output = FinalState>) -> FinalState {
    let ended = async {
        apply.shutdown.wished().await;
        tokio::time::sleep(LAST_LOOK).await;
    };
    tokio::select! {
        biased;
        standing = settled => standing,
        () = ended => FinalState::Unknown("it wasn't looked at, as the run was ended".to_owned()),
    }
}
