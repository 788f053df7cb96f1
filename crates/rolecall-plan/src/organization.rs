//! Plans the creation, update and deletion of the organisation itself.

use std::collections::BTreeSet;

use super::PlanInput;
use super::collection::{contents, creation, deletion, update as updated};
use super::decision::Decision;
use super::gate::{Gate, protected_among};
use rolecall_model::{
    Address, Cause, Change, Code, DesiredOrganization, DesiredUser, Effect, Email, Entity, Finding,
    FirstInvitation, HoldReason, ManualStep, Organization,
};

/// Plans the change of the organisation itself. Returns whether its users, teams, roles and keys can be planned as
/// well: not if it doesn't exist yet, or is about to be deleted.
pub(super) fn plan_organization(input: &PlanInput<'_>, gate: &mut Gate<'_>) -> bool {
    let Some(desired) = &input.desired.organization_entity else { return true };
    let (decisions, exists) = match &input.live.organization_entity {
        Some(live) if desired.absent => (vec![delete(input, desired, live)], false),
        Some(live) => (update(input, desired, live), true),
        None if desired.absent => (Vec::new(), false),
        None => (create(input, desired), false),
    };
    gate.accept(decisions);
    exists
}

fn delete(input: &PlanInput<'_>, desired: &DesiredOrganization, live: &Organization) -> Decision {
    let address = Address::organization();
    let own_team = input.live.caller.as_ref().and_then(|caller| caller.team.as_ref());
    if own_team.is_some_and(|own_team| input.live.teams().iter().any(|team| team.id == *own_team)) {
        return Decision::Hold(address, HoldReason::OwnAccess);
    }
    // An incomplete list may leave out the team that rolecall's own credential belongs to.
    if let Some(reason) = input.live.teams.as_ref().and_then(|list| list.completeness.hold_if_incomplete("teams"))
    {
        return Decision::Hold(address, reason);
    }
    let lost = input.live.teams().iter().map(|team| Address::team(&team.name));
    let lost = lost.chain(input.live.users.items.iter().map(|user| Address::user(&user.email)));
    let lost = lost.chain(input.live.invitations().iter().map(|open| Address::user(&open.email)));
    let protected = protected_among(input, lost);
    let mut change = deletion(input, address.clone(), Entity::Organization(live.clone()), Cause::DeclaredAbsent);
    if !protected.is_empty() {
        let change = Some(Box::new(change));
        return Decision::Hold(address, HoldReason::ProtectsHolders { holders: protected, change });
    }
    let users = input.live.users.items.iter().map(|user| &user.email);
    let users: BTreeSet<Address> =
        users.chain(input.live.invitations().iter().map(|open| &open.email)).map(Address::user).collect();
    change.effects.push(Effect::Affects { holders: users.into_iter().collect() });
    change.effects.extend(contents(input, None));
    Decision::change(change, Some(&desired.place))
}

fn update(input: &PlanInput<'_>, desired: &DesiredOrganization, live: &Organization) -> Vec<Decision> {
    let address = Address::organization();
    let mut decisions = Vec::new();
    let mut after = Organization {
        name: desired.name.clone().unwrap_or_else(|| live.name.clone()),
        email: desired.email.clone().or_else(|| live.email.clone()),
        seats: desired.seats.or(live.seats),
        description: desired.description.clone().or_else(|| live.description.clone()),
        thumbnail: desired.thumbnail.clone().or_else(|| live.thumbnail.clone()),
        ..live.clone()
    };
    if let (Some(seats), None) = (desired.seats, live.seats) {
        // Nobody knows whether this would add or remove seats, and seats cost money.
        let reason = HoldReason::ManualStep {
            field: "the number of seats".to_owned(),
            live: Some("unreadable".to_owned()),
            desired: seats.to_string(),
            step: input.rules.manual_step(ManualStep::ChangeOrganization).to_owned(),
        };
        decisions.push(Decision::Hold(address.clone(), reason));
        after.seats = None;
    }
    if after == *live && !input.is_asserted(&address) {
        return decisions;
    }
    let by_slug = live.slug.as_deref() == Some(input.desired.organization.as_str());
    let renamed = after.name != live.name && by_slug;
    let bills = after.seats != live.seats;
    let effects = bills.then_some(Effect::MayBill).into_iter().chain(renamed.then_some(Effect::SlugMayChange));
    let cause = if after == *live { Cause::Asserted } else { Cause::Declared };
    // After a rename the organisation is found by its id, because its slug may change.
    after.slug = after.slug.filter(|_| by_slug);
    let (before, after) = (Entity::Organization(live.clone()), Entity::Organization(after));
    let change = Change { cause, effects: effects.collect(), ..updated(address, before, after, Cause::Declared) };
    decisions.push(Decision::change(change, Some(&desired.place)));
    decisions
}

/// Plans the creation of the organisation, together with the invitations that need no team. A later plan does the
/// rest, because only a read shows what the platform creates along with an organisation.
fn create(input: &PlanInput<'_>, desired: &DesiredOrganization) -> Vec<Decision> {
    let address = Address::organization();
    if let Some(since) = input.facts.organization_creation_sent.filter(|_| !input.is_asserted(&address)) {
        return vec![Decision::Hold(address, HoldReason::OrganizationUnsure { since })];
    }
    let fields = [
        ("`name`", desired.name.is_none()),
        ("`email`", desired.email.is_none()),
        ("`seats`", desired.seats.is_none()),
    ];
    let missing: Vec<&str> = fields.iter().filter(|(_, missing)| *missing).map(|(field, _)| *field).collect();
    if !missing.is_empty() {
        let message =
            format!("The organisation doesn't exist yet, and creating it requires {}.", missing.join(", "));
        return vec![Decision::Finding(
            Finding::error(Code::IncompleteOrganization, desired.place.clone(), message)
                .hint(format!("Add {}.", missing.join(", "))),
        )];
    }
    let invites: Vec<FirstInvitation> =
        input.desired.users.iter().filter_map(|user| first_invitation(input, user)).collect();
    let invited: BTreeSet<&Email> = invites.iter().map(|first| &first.email).collect();
    let waiting = input.desired.users.iter().filter(|user| !user.absent && !invited.contains(&user.email));
    let waiting: Vec<Address> = waiting.map(|user| Address::user(&user.email)).collect();
    let teams = input.desired.teams.iter().filter(|team| !team.absent).map(|team| Address::team(&team.name));
    let mut decisions: Vec<Decision> =
        teams.chain(waiting).map(|address| Decision::Hold(address, HoldReason::AwaitsOrganization)).collect();
    let created_along = input.rules.capabilities().comes_with_organization;
    let comes_with = created_along.map(|what| Effect::ComesWith { what: what.to_owned() });
    let after = Organization {
        id: None,
        slug: Some(input.desired.organization.to_string()),
        name: desired.name.clone().unwrap_or_default(),
        email: desired.email.clone(),
        seats: desired.seats,
        description: desired.description.clone(),
        thumbnail: desired.thumbnail.clone(),
        invites,
    };
    let mut change = creation(address, Entity::Organization(after), Cause::Declared);
    change.effects = comes_with.into_iter().chain([Effect::MayBill]).collect();
    decisions.push(Decision::change(change, Some(&desired.place)));
    decisions
}

/// Returns the invitation of a user that is sent by the mutation that creates the organisation, or `None` if the user
/// is invited later or not at all. Users who need a team wait until teams exist. rolecall's own user needs no
/// invitation: the creator of an organisation is its admin.
fn first_invitation(input: &PlanInput<'_>, user: &DesiredUser) -> Option<FirstInvitation> {
    let roles = &user.roles.as_ref()?.value;
    let wanted = !user.absent && user.enabled.is_none();
    let teamless = user.teams.is_none() || input.is_in_every_team(roles);
    let caller = input.live.caller.iter().any(|caller| caller.emails.contains(&user.email));
    let role = input.rules.invitation_roles(input.live, roles).into_iter().next()?;
    (wanted && teamless && !caller).then(|| FirstInvitation { email: user.email.clone(), role })
}
