//! Notes about effects that no file can undo.

use super::UndoBuilder;
use rolecall_model::{Address, Change, Effect, list_of};

/// Notes the side effects of a change that can't be undone.
pub(super) fn of_effects(change: &Change, builder: &mut UndoBuilder) {
    for effect in &change.effects {
        let why = match effect {
            Effect::SendsMail => "The mail that the platform sends can't be recalled.".to_owned(),
            Effect::ReplacesInvitation => "The link in the earlier mail stops working.".to_owned(),
            Effect::Irreversible => "The change can't be undone.".to_owned(),
            Effect::CascadesTo { what } => format!("Also deleted: {what}."),
            Effect::Contains { what } => {
                let what: Vec<&String> = what.iter().collect();
                format!("Also deleted, because a read showed it there: {}.", list_of(&what, "and"))
            }
            Effect::MayBill => "A charge for it can't be undone.".to_owned(),
            Effect::AccessFollows
            | Effect::RolesFollow
            | Effect::TakesEnded { .. }
            | Effect::Affects { .. }
            | Effect::FirstAllows { .. }
            | Effect::Allows { .. }
            | Effect::MayReEnable
            | Effect::ReEnables
            | Effect::MayReadmit
            | Effect::EveryOrganization
            | Effect::ComesWith { .. }
            | Effect::DefaultRole { .. }
            | Effect::SlugMayChange
            | Effect::SecretTo { .. }
            | Effect::Platform { .. } => continue,
        };
        builder.note(&change.address, why);
    }
}

/// Notes fields that had no value before the change. The undo file can't empty them, because an absent field keeps
/// the live value.
pub(super) fn of_emptied<const N: usize>(
    address: &Address,
    fields: [(&str, &Option<String>, &Option<String>); N],
    builder: &mut UndoBuilder,
) {
    let has_value = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    for (name, before, after) in fields {
        if !has_value(before) && has_value(after) {
            builder.note(address, format!("It had no {name} before, and a file can't remove one."));
        }
    }
}
