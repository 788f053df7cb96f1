//! The tips about options that don't exist.

use clap::Error;
use clap::error::{ContextKind, ContextValue};

use rolecall_model::distance;

/// The options that delete something, send it without a question, or send it again. Nobody should use one because a tip says so.
const NEVER: &[&str] = &["--reset", "--assert", "--auto-approve", "--confirm-deletion"];

/// Removes a tip that names another option than the one that was probably meant: more than one letter differs.
pub(super) fn without_guesses(mut error: Error) -> Error {
    let typed = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(typed)) => typed.clone(),
        _ => return error,
    };
    let is_meant = |option: &str| distance(&typed, option) <= 1 && !NEVER.contains(&option);
    if let Some(ContextValue::String(option)) = error.get(ContextKind::SuggestedArg)
        && !is_meant(option)
    {
        error.remove(ContextKind::SuggestedArg);
        // It has the option, too.
        error.remove(ContextKind::Usage);
    }
    // Such as: 'apply --plan' exists.
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        tips.retain(|tip| {
            let tip = tip.to_string();
            let named = tip.strip_suffix("' exists").and_then(|tip| tip.rsplit(' ').next());
            named.is_none_or(is_meant)
        });
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}
