//! Applies the exceptions of a file, which override guardrails.
//!
//! An exception is a part of the reviewed file. It applies to one plan, which it names by its seal, until one day,
//! and to the guardrails that it lists. For example, a team of eight people leaves, and the plan that removes them
//! breaks `max_removals`. After a review, the file gets
//! `{ plan: "sha256:…", rails: [max_removals], until: 2026-12-01, reason: … }`, and this plan can be applied. If
//! anybody else is removed meanwhile, the plan has another seal, and the exception no longer applies.
//!
//! Two things can't be overridden: a limit of the command line, and the last admins ([`admins::minimum`]).

use jiff::tz::TimeZone;

use super::super::PlanInput;
use super::super::admins::{self, Admins};
use rolecall_model::{Exception, Guardrail, Override, Refusal};

/// Splits the refusals of a plan into those that remain and those that an exception in the file overrides. `seal`
/// is the seal of that plan. A remaining refusal says why each exception for its guardrail doesn't apply.
pub(in super::super) fn apply_exceptions(
    input: &PlanInput<'_>,
    refusals: Vec<Refusal>,
    seal: &str,
    admins: &Admins,
) -> (Vec<Refusal>, Vec<Override>) {
    let (mut refused, mut overrides) = (Vec::new(), Vec::new());
    for mut refusal in refusals {
        let named =
            || input.desired.guardrails.exceptions.iter().filter(|it| it.guardrails.contains(&refusal.guardrail));
        let too_few = refusal.guardrail == Guardrail::MinAdmins && admins.after < admins::minimum(input);
        let by_command_line = !refusal.overridable;
        let fits = named().find(|exception| why_not(input, exception, seal).is_none());
        let fits = fits.filter(|_| !too_few && !by_command_line);
        if let Some(Exception { plan, until, reason, .. }) = fits {
            overrides.push(Override { refusal, plan: plan.clone(), until: *until, reason: reason.clone() });
            continue;
        }
        let reasons: Vec<String> = named()
            .map(|exception| {
                let why = why_not(input, exception, seal);
                let why = why.unwrap_or_else(|| match (by_command_line, admins::own_user_unknown(input)) {
                    (true, _) => "can't override a limit of the command line".to_owned(),
                    (false, true) => "can't allow that the last admin is removed".to_owned(),
                    (false, false) => "can't allow fewer admins than the platform requires".to_owned(),
                });
                format!(" The exception at {} {why}.", exception.place)
            })
            .collect();
        refusal.message.push_str(&reasons.concat());
        refusal.overridable &= !too_few;
        refused.push(refusal);
    }
    (refused, overrides)
}

/// Returns why an exception doesn't apply to this plan, or `None` if it does.
fn why_not(input: &PlanInput<'_>, exception: &Exception, seal: &str) -> Option<String> {
    let today = input.now.to_zoned(TimeZone::UTC).date();
    // An approved plan keeps its seal here: either all of it is sent, or nothing.
    let matches_plan = exception.plan == seal || Some(exception.plan.as_str()) == input.approved;
    if !matches_plan {
        return Some("is for another plan".to_owned());
    }
    (today > exception.until).then(|| format!("ended on {}", exception.until))
}
