//! Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::Exit;
use super::out::Out;
use crate::apply::Interruption;

/// While mutations are being sent, the first Ctrl-C ends the run after what is in flight. At any other time, and
/// for the second, it ends the process.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    pub interruption: Interruption,
    sending: AtomicBool,
    /// Has any organisation of this run been sent anything?
    sent: AtomicBool,
}

impl Interrupts {
    pub fn watch() -> Arc<Self> {
        let interrupts = Arc::new(Self::default());
        let watching = Arc::clone(&interrupts);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                let first = !watching.interruption.wish();
                if first && watching.sending.load(Ordering::Relaxed) {
                    Out::default().talk("\nstopping after what is in flight; once more to stop at once\n");
                    continue;
                }
                let sent = watching.sent.load(Ordering::Relaxed);
                std::process::exit(if sent { Exit::Partial } else { Exit::Interrupted } as i32);
            }
        });
        interrupts
    }

    pub fn begin_sending(&self) {
        self.sending.store(true, Ordering::Relaxed);
        self.sent.store(true, Ordering::Relaxed);
    }

    pub fn end_sending(&self) {
        self.sending.store(false, Ordering::Relaxed);
    }
}
