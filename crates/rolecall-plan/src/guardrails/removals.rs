//! How much of each collection a plan takes away: a slip of indentation must not take a company offline.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::order::narrows;
use super::super::roles::PlannedRoles;
use rolecall_model::{Action, Address, Cause, Change, Email, Entity, Guardrail, Kind, Refusal, RoleName, Seen};

/// Refuses a plan that takes more of a collection than may go at once.
pub(super) fn too_many_removals<'a>(
    input: &'a PlanInput<'_>,
    changes: &'a [Change],
    planned_roles: &'a PlannedRoles,
) -> impl Iterator<Item = Refusal> + 'a {
    Kind::ALL.iter().filter_map(|kind| {
        let lose = match kind {
            // There is one organisation, and its name is asked for. Invitations count among the users.
            Kind::Organization | Kind::Invitation => return None,
            Kind::User => users(input, changes, planned_roles),
            Kind::Team | Kind::Role | Kind::Key => entities(changes, *kind),
        };
        let live = live(input, *kind);
        let (limit, most) = input.desired.guardrails.max_removals.of(*kind, live);
        let what = format!("{}s", kind.as_str());
        (lose.len() > most).then(|| Refusal {
            guardrail: Guardrail::MaxRemovals,
            message: format!(
                "{} of {live} {what} would {}, and by one plan at most {most} may ({limit})",
                lose.len(),
                if *kind == Kind::User { "lose access or some of it" } else { "go" },
            ),
            addresses: lose.into_iter().collect(),
        })
    })
}

/// How many there are to lose.
fn live(input: &PlanInput<'_>, kind: Kind) -> usize {
    let live = input.live;
    match kind {
        Kind::Organization | Kind::Invitation => 1,
        Kind::Team => live.teams().len(),
        Kind::Role => live.roles().len(),
        Kind::User => {
            let on = live.users.items.iter().filter(|user| user.enabled != Seen::Known(false));
            let invited: BTreeSet<&Email> = live.open_invitations().map(|open| &open.email).collect();
            let member = |email: &Email| live.users.items.iter().any(|user| user.email == *email);
            // What a run that broke off has taken back to make it anew counts as if it were there still.
            let taken_back =
                input.facts.taken_back.keys().filter(|email| !invited.contains(email) && !member(email));
            on.count() + live.open_invitations().count() + taken_back.count()
        }
        Kind::Key => live.keys().iter().filter(|key| key.enabled).count(),
    }
}

/// Teams, roles and keys that go.
fn entities(changes: &[Change], kind: Kind) -> BTreeSet<Address> {
    let goes = |change: &&Change| {
        let goes = matches!(change.action, Action::Disable | Action::Delete | Action::Remove);
        // Of such a one nobody has the secret, or somebody has that of the one that takes its place.
        let replaced = matches!(change.cause, Cause::SecretLost | Cause::Superseded { .. });
        change.address.kind == kind && goes && !replaced
    };
    changes.iter().filter(goes).map(|change| change.address.clone()).collect()
}

/// Everybody who loses something: by what becomes of them, or of a role that they have.
fn users(input: &PlanInput<'_>, changes: &[Change], planned_roles: &PlannedRoles) -> BTreeSet<Address> {
    let mut lose: BTreeSet<Address> = changes
        .iter()
        .filter(|change| loses(input, change, planned_roles))
        .map(|change| change.address.clone())
        .collect();
    let weaker: BTreeSet<&RoleName> = changes
        .iter()
        .filter_map(|change| {
            let (before, after) = (change.before.as_ref()?.role()?, change.after.as_ref()?.role()?);
            (!before.permissions.is_subset(&after.permissions)).then_some(&after.name)
        })
        .collect();
    let holds = |roles: &BTreeSet<RoleName>| roles.iter().any(|role| weaker.contains(role));
    // Whoever is moved at the same time is judged by where they go.
    let moved: BTreeSet<&Address> =
        changes.iter().filter(|change| change.address.kind == Kind::User).map(|change| &change.address).collect();
    let users = input.live.users.items.iter().filter(|user| holds(&user.roles));
    let holders = users.map(|user| Address::user(&user.email)).filter(|address| !moved.contains(address));
    lose.extend(holders);
    lose
}

fn loses(input: &PlanInput<'_>, change: &Change, planned_roles: &PlannedRoles) -> bool {
    let of = |entity: &Option<Entity>| entity.as_ref().and_then(Entity::user).cloned();
    match (change.action, of(&change.before), of(&change.after)) {
        (_, None, _) | (Action::Invite | Action::Enable, _, _) => false,
        (Action::Create | Action::Update, Some(before), Some(after)) => {
            before.enabled != Seen::Known(false) && narrows(input, &before, &after, planned_roles)
        }
        _ => true,
    }
}
