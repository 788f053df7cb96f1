//! Exceptions stand in the reviewed file, and hold for one plan, until one day, for the rails that they name.

use jiff::tz::TimeZone;

use super::super::PlanInput;
use super::super::admins::{self, Admins};
use rolecall_model::{Exception, Guardrail, Override, Refusal};

/// Tells what stays refused from what the file lifts. `seal`: of the plan that they are about.
pub(in super::super) fn apply_exceptions(
    input: &PlanInput<'_>,
    refusals: Vec<Refusal>,
    seal: &str,
    admins: &Admins,
) -> (Vec<Refusal>, Vec<Override>) {
    let (mut refused, mut overrides) = (Vec::new(), Vec::new());
    for mut refusal in refusals {
        let named =
            || input.desired.guardrails.exceptions.iter().filter(|it| it.rails.contains(&refusal.guardrail));
        let too_few = refusal.guardrail == Guardrail::MinAdmins && admins.after < admins::minimum(input);
        let stricter = input.desired.guardrails.tightened.contains(&refusal.guardrail);
        let fits = named().find(|exception| why_not(input, exception, seal).is_none());
        let fits = fits.filter(|_| !too_few && !stricter);
        if let Some(Exception { plan, until, reason, .. }) = fits {
            overrides.push(Override { refusal, plan: plan.clone(), until: *until, reason: reason.clone() });
            continue;
        }
        let whys: Vec<String> = named()
            .map(|exception| {
                let why = why_not(input, exception, seal);
                let why = why.unwrap_or_else(|| match (stricter, admins::own_user_unknown(input)) {
                    (true, _) => "lifts no limit of the command line".to_owned(),
                    (false, true) => "can't take the last admin".to_owned(),
                    (false, false) => "can't leave fewer admins than the platform needs".to_owned(),
                });
                format!("; the exception in line {} {why}", exception.place.line)
            })
            .collect();
        refusal.message.push_str(&whys.concat());
        refused.push(refusal);
    }
    (refused, overrides)
}

/// Why an exception doesn't hold, if it doesn't.
fn why_not(input: &PlanInput<'_>, exception: &Exception, seal: &str) -> Option<String> {
    let today = input.now.to_zoned(TimeZone::UTC).date();
    // What is sent of an approved plan is all of it, or nothing.
    let is_for = exception.plan == seal || Some(exception.plan.as_str()) == input.approved;
    if !is_for {
        return Some("is for another plan".to_owned());
    }
    (today > exception.until).then(|| format!("ended on {}", exception.until))
}
