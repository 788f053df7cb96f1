//! How an apply ends.

use super::exit::Exit;
use crate::apply::{Report, Standing, Stop};

/// How a run ends that had something to send.
pub(super) fn ending(report: &Report) -> Exit {
    match (&report.stopped, report.anything_sent()) {
        (Some(Stop::Interrupted), false) => Exit::Interrupted,
        (Some(Stop::Unreachable(_)), false) => Exit::Unreachable,
        (Some(Stop::Unrecorded(_)), false) => Exit::Error,
        (Some(_), _) => Exit::Partial,
        // Everything was refused before it had an effect.
        (None, false) if !report.all_done() => Exit::Error,
        // Something that was to be done isn't, whoever's fault it is.
        (None, _) if report.is_wanting() => Exit::Partial,
        (None, _) => match &report.standing {
            // What was approved is done; that the file wishes more is another plan's business.
            Standing::Converged { .. } | Standing::Held(_) | Standing::Diverged(_) if report.all_done() => {
                Exit::Done
            }
            Standing::Converged { .. } | Standing::Held(_) | Standing::Diverged(_) | Standing::Unknown(_) => {
                Exit::Partial
            }
        },
    }
}
