//! What no file brings back.

use super::UndoBuilder;
use rolecall_model::{Address, Change, Effect, list_of};

/// What a change does besides, and nothing undoes.
pub(super) fn of_effects(change: &Change, builder: &mut UndoBuilder) {
    for effect in &change.effects {
        let why = match effect {
            Effect::SendsMail => "mail goes out, and can't be called back".to_owned(),
            Effect::ReplacesInvitation => "the link in the earlier mail stops working".to_owned(),
            Effect::Irreversible => "nothing brings back what it was".to_owned(),
            Effect::CascadesTo { what } => format!("with it goes: {what}"),
            Effect::Contains { what } => {
                let what: Vec<&String> = what.iter().collect();
                format!("with it goes what was seen in it: {}", list_of(&what, "and"))
            }
            Effect::MayBill => "what is billed for it stays billed".to_owned(),
            Effect::AccessFollows
            | Effect::RolesFollow
            | Effect::Touches { .. }
            | Effect::FirstAllows { .. }
            | Effect::Allows { .. }
            | Effect::MayReEnable
            | Effect::ReEnables
            | Effect::MayReadmit
            | Effect::Seat { .. }
            | Effect::NeedsPlan { .. }
            | Effect::HubWide
            | Effect::ComesWith { .. }
            | Effect::JoinsEveryTeam
            | Effect::MayLeaveTeams
            | Effect::ComesBackAs { .. }
            | Effect::DefaultRole { .. }
            | Effect::SlugMayChange
            | Effect::SecretTo { .. } => continue,
        };
        builder.note(&change.address, why);
    }
}

/// A value that wasn't there can't be taken away: what a file doesn't say keeps what is live.
pub(super) fn of_emptied<const N: usize>(
    address: &Address,
    fields: [(&str, &Option<String>, &Option<String>); N],
    builder: &mut UndoBuilder,
) {
    let some = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    for (name, before, after) in fields {
        if !some(before) && some(after) {
            builder.note(address, format!("it had no {name}, and no file takes one away"));
        }
    }
}
