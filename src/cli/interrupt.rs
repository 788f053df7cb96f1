//! Handles Ctrl-C, and the signal that CI runners send to cancel a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::Exit;
use super::out::talk;
use super::traces;
use rolecall_engine::apply::Shutdown;
use rolecall_engine::ledger::release_locks;

/// Interrupts of an apply. After mutations were sent, the first Ctrl-C stops the run once the requests in flight
/// are answered, so that the run can report what was done. The second one ends the process, as does one before
/// anything was sent.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    pub shutdown: Shutdown,
    /// Whether this run has sent a mutation to any organisation.
    sent: AtomicBool,
}

/// Makes a write beyond the limit of file sizes fail like one on a full disk. By default, a signal would end the process there,
/// and a run that has sent something would report nothing. Programs that it starts have the default again.
pub(super) fn outlive_file_limit() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // A handler stays until the process ends, even if nobody waits for the signal.
        let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    }
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
        // CI runners cancel jobs and container runtimes stop containers with SIGTERM.
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

    /// Handles one interrupt.
    fn end(&self) {
        let first = !self.shutdown.request();
        let sent = self.has_sent();
        if first && sent {
            traces::interrupt();
            talk("\nStopping after the requests in flight. Press Ctrl-C again to stop at once.\n");
            return;
        }
        if sent {
            talk(
                "\nStopped at once. Requests in flight may have taken effect. The ledger has them, and the next apply verifies them \
                 first.\n",
            );
        }
        // The ledger in a store has a lock that nobody else releases. With requests in flight, the next run has to wait.
        if !sent {
            release_locks();
        }
        let exit = Exit::interrupted(sent);
        traces::abandon(exit);
        std::process::exit(exit as i32);
    }

    pub fn begin_sending(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    pub fn has_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }
}
