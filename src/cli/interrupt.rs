//! Ctrl-C, and what runners of jobs send in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::Exit;
use super::out::talk;
use rolecall_engine::apply::Shutdown;

/// Once mutations were sent, the first Ctrl-C ends the run after what is in flight, so that it can say what was and
/// wasn't done. Before that, and for the second, it ends the process.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    pub shutdown: Shutdown,
    /// Has any organisation of this run been sent anything?
    sent: AtomicBool,
}

impl Interrupts {
    pub fn watch() -> Arc<Self> {
        let interrupts = Arc::new(Self::default());
        let watching = Arc::clone(&interrupts);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                watching.end();
            }
        });
        // By which jobs are cancelled and containers stopped.
        #[cfg(unix)]
        if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            let watching = Arc::clone(&interrupts);
            tokio::spawn(async move {
                while terminate.recv().await.is_some() {
                    watching.end();
                }
            });
        }
        interrupts
    }

    /// Somebody wants an end.
    fn end(&self) {
        let first = !self.shutdown.request();
        let sent = self.has_sent();
        if first && sent {
            talk("\nstopping after what is in flight; once more to stop at once\n");
            return;
        }
        if sent {
            talk(
                "\nstopped at once: what was in flight may have had its effect. The ledger has it, and the next apply looks first\n",
            );
        }
        std::process::exit(Exit::interrupted(sent) as i32);
    }

    pub fn begin_sending(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    pub fn has_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }
}
