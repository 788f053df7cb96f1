//! Whoever ends a run doesn't wait for a limit, which can take minutes.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Apply, Standing};

const LOOK_AT_INTERRUPTS: Duration = Duration::from_millis(100);

/// For a last look at what became of it.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Waits until the platform's limit lets another request through, or somebody ends the run.
pub(super) async fn may_send_now(apply: &Apply<'_>) -> bool {
    let interrupted = async {
        while !apply.interrupted.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_AT_INTERRUPTS).await;
        }
    };
    tokio::select! {
        biased;
        () = apply.transport.ready() => !apply.interrupted.load(Ordering::Relaxed),
        () = interrupted => false,
    }
}

/// How live stands, if that can be seen in short time.
pub(super) async fn last_look(settled: impl Future<Output = Standing>) -> Standing {
    let unseen = |_| Standing::Unknown("it wasn't looked at, as the run was ended".to_owned());
    tokio::time::timeout(LAST_LOOK, settled).await.unwrap_or_else(unseen)
}
