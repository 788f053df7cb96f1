//! What an invitation says of somebody, and whether it can.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::roles::{self, PlannedRoles};
use super::{Sent, obstacle};
use crate::{resolve, teams};
use rolecall_model::{
    Address, Code, DesiredUser, Feature, Finding, HoldReason, InviteField, Memberships, Reach, RoleName, User,
};

/// What an invitation says.
pub(super) struct Offer {
    pub after: User,
    /// It says less than the file: no access yet.
    pub limited: bool,
    /// It says less than the file: some roles can't be said.
    pub follows: bool,
}

/// What an invitation that ran out said, where the file says nothing of it and it can be said again.
pub(super) fn as_before(input: &PlanInput<'_>, desired: &DesiredUser, sent: Sent<'_>) -> Option<Offer> {
    let expired = sent.expired.first().filter(|_| desired.roles.is_none())?;
    let can_be_given = input.rules.known_roles().can_be_given(&expired.role);
    let after = User { invited_at: None, ..expired.entity() };
    can_be_given.then_some(Offer { after, limited: false, follows: false })
}

/// What an invitation of this person has to say. None: it can't be made, which was said.
/// `earlier`: the teams of the invitation that there is, or was, which are kept where the file doesn't say.
pub(super) fn offer(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    earlier: Option<&Memberships>,
    book: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) -> Option<Offer> {
    let mut missing = missing_fields(input, desired);
    missing.retain(|field| *field != TEAMS || earlier.is_none());
    if !missing.is_empty() {
        builder.findings.push(
            Finding::error(
                Code::IncompleteInvitation,
                desired.place.clone(),
                format!("{} isn't there yet, and an invitation needs {}", desired.email, missing.join(", ")),
            )
            .hint(format!("add {}", missing.join(", "))),
        );
        return None;
    }
    let address = Address::user(&desired.email);
    let mut roles = desired.roles.as_ref().map(|roles| roles.value.clone()).unwrap_or_default();
    if let Some(obstacle) = obstacle(desired, &roles, book) {
        obstacle.report(&address, builder);
        return None;
    }
    let mut resources = match &desired.resources {
        Some(wished) => Some(resolve::resources(input, wished, &mut builder.findings)?),
        None => None,
    };
    let carries = input.live.features.contains(&Feature::InvitationResources);
    let limited = !carries && resources.as_ref().is_some_and(|resources| *resources != Reach::All);
    if limited {
        // Whoever accepts gets the role on everything, so it has to be a role that allows nothing.
        let Some(empty) = roles::containment(input, book, builder) else {
            if let Some(role) = &input.desired.containment_role {
                let role = role.value.clone();
                builder.hold(address, HoldReason::RoleHeld { role });
            }
            return None;
        };
        roles = BTreeSet::from([empty]);
        resources = None;
    }
    let teams = teams::memberships(input, desired, earlier, builder).ok()?;
    let in_teams = input.live.assignable.as_ref().and_then(|roles| roles.by_default_in_teams());
    let by_default = |role: &RoleName| in_teams.is_some_and(|known| known.name == *role);
    let team_roles =
        desired.teams.iter().flat_map(|teams| teams.values()).filter_map(|role| role.value.as_deref());
    let follows = !input.rules.can_invite_with(input.live, &roles) || !team_roles.into_iter().all(by_default);
    let offered = input.rules.invitation_roles(input.live, &roles);
    let DesiredUser { email, first_name, last_name, phone, .. } = desired;
    let after = User {
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        phone: phone.clone(),
        roles: offered,
        resources,
        // The roles in them can't be given before there is somebody to give them to.
        teams: teams.map(|teams| teams.into_keys().map(|team| (team, None)).collect()),
        invited: true,
        ..User::named(email.clone())
    };
    Some(Offer { after, limited, follows })
}

/// Nobody is invited into teams that the plan deletes. None: no team is left, which was said.
pub(super) fn into_what_stays(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    mut offered: Offer,
    builder: &mut PlanBuilder<'_>,
) -> Option<Offer> {
    offered.after.teams = offered.after.teams.map(|teams| builder.teams.that_stay(teams, false));
    let none_left = offered.after.teams.as_ref().is_some_and(Memberships::is_empty);
    if none_left && input.rules.invite_needs().contains(&InviteField::Teams) {
        builder.findings.push(
            Finding::error(
                Code::IncompleteInvitation,
                desired.place.clone(),
                format!(
                    "the invitation of {} has to be made anew, and this file deletes every team of it",
                    desired.email
                ),
            )
            .hint(format!("add {TEAMS} that it is to be for")),
        );
        return None;
    }
    Some(offered)
}

const TEAMS: &str = "`teams` (one at least)";

pub(super) fn missing_fields(input: &PlanInput<'_>, desired: &DesiredUser) -> Vec<&'static str> {
    let lacks = |field: &InviteField| match field {
        InviteField::FirstName => desired.first_name.is_none().then_some("`first_name`"),
        InviteField::LastName => desired.last_name.is_none().then_some("`last_name`"),
        InviteField::Roles => desired.roles.is_none().then_some("`roles`"),
        InviteField::Teams => {
            let some = desired.teams.as_ref().is_some_and(|teams| !teams.is_empty());
            (!some).then_some(TEAMS)
        }
        InviteField::Resources => desired.resources.is_none().then_some("`resources` (`all`, or a tree)"),
    };
    input.rules.invite_needs().iter().filter_map(lacks).collect()
}
