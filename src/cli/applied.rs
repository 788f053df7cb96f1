//! What became of an apply, and how it ends.

use serde::Serialize;

use super::exit::Exit;
use super::undo;
use crate::apply::{Report, Standing, Stop};
use crate::model::{OrganizationPlan, ProviderName, RemoteId};

/// What became of one organisation, for programs.
#[derive(Serialize)]
pub(super) struct Applied {
    pub provider: ProviderName,
    pub organization: RemoteId,
    #[serde(serialize_with = "as_code")]
    pub exit: Exit,
    /// Why nothing was sent, or nothing more.
    pub error: Option<String>,
    /// What there was to send. None where it could not be planned.
    pub plan: Option<OrganizationPlan>,
    /// What became of it. None where nothing was sent.
    pub report: Option<Report>,
    /// The way back, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<undo::Written>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn as_code<S: serde::Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*exit as u8)
}

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
