//! Computes the content of an invitation: the roles, resources and teams that it can carry.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::roles::{self, PlannedRoles};
use super::{UserInvitations, role_problem};
use crate::{resolve, teams};
use rolecall_model::{
    Address, Code, DesiredUser, Feature, Finding, HoldReason, InviteField, Memberships, Reach, RoleName, User,
};

/// The content of an invitation.
pub(super) struct InvitationContent {
    pub after: User,
    /// True if the invitation gives no access yet, because it can't carry resources. A later plan gives it.
    pub without_access: bool,
    /// True if the invitation can't carry all the roles of the file. A later plan gives the rest.
    pub roles_follow: bool,
}

/// Returns the content of an expired invitation, to be sent again, or `None` if the file gives roles of its own or
/// the old role can no longer be given.
pub(super) fn expired_content(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user_invitations: UserInvitations<'_>,
) -> Option<InvitationContent> {
    let expired = user_invitations.expired.first().filter(|_| desired.roles.is_none())?;
    let can_be_given = input.rules.capabilities().known_roles.can_be_given(&expired.role);
    let after = User { invited_at: None, ..expired.entity() };
    can_be_given.then_some(InvitationContent { after, without_access: false, roles_follow: false })
}

/// Returns the content of the invitation that the file asks for. Returns `None` if it can't be sent, after adding
/// a finding or a hold. `earlier` are the teams of an earlier invitation, which are kept if the file doesn't
/// mention teams.
pub(super) fn invitation_content(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    earlier: Option<&Memberships>,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) -> Option<InvitationContent> {
    let mut missing = missing_fields(input, desired);
    missing.retain(|field| *field != TEAMS || earlier.is_none());
    if !missing.is_empty() {
        builder.findings.push(
            Finding::error(
                Code::IncompleteInvitation,
                desired.place.clone(),
                format!(
                    "{} isn't a member yet, and an invitation requires {}.",
                    desired.email,
                    missing.join(", ")
                ),
            )
            .hint(format!("Add {}.", missing.join(", "))),
        );
        return None;
    }
    let address = Address::user(&desired.email);
    let mut roles = desired.roles.as_ref().map(|roles| roles.value.clone()).unwrap_or_default();
    if let Some(problem) = role_problem(desired, &roles, planned_roles) {
        problem.report(&address, builder);
        return None;
    }
    let mut resources = match &desired.resources {
        Some(desired) => Some(resolve::resources(input, desired, &mut builder.findings)?),
        None => None,
    };
    let can_carry = input.live.features.contains(&Feature::InvitationResources);
    let without_access = !can_carry && resources.as_ref().is_some_and(|resources| *resources != Reach::All);
    if without_access {
        // The role of an accepted invitation applies to all resources, so it has to be a role that allows nothing.
        let Some(empty) = roles::containment_role(input, planned_roles, builder) else {
            if let Some(role) = &input.desired.containment_role {
                let role = role.value.clone();
                builder.hold(address, HoldReason::RoleSkipped { role });
            }
            return None;
        };
        roles = BTreeSet::from([empty]);
        resources = None;
    }
    let teams = teams::memberships(input, desired, earlier, builder).ok()?;
    let in_teams = input.live.assignable.as_ref().and_then(|roles| roles.default_in_teams());
    let by_default = |role: &RoleName| in_teams.is_some_and(|known| known.name == *role);
    let team_roles =
        desired.teams.iter().flat_map(|teams| teams.values()).filter_map(|role| role.value.as_deref());
    let roles_follow = !input.rules.can_invite_with(input.live, &roles) || !team_roles.into_iter().all(by_default);
    let content = input.rules.invitation_roles(input.live, &roles);
    let DesiredUser { email, first_name, last_name, phone, .. } = desired;
    let after = User {
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        phone: phone.clone(),
        roles: content,
        resources,
        // Team roles can only be given to members.
        teams: teams.map(|teams| teams.into_keys().map(|team| (team, None)).collect()),
        invited: true,
        ..User::named(email.clone())
    };
    Some(InvitationContent { after, without_access, roles_follow })
}

/// Returns whether a member has exactly what an invitation of rolecall contained, and it could not contain everything.
/// Then nobody else has changed the member, and the rest is still to do.
pub(super) fn is_as_invited(input: &PlanInput<'_>, member: &User) -> bool {
    let invitation = input.facts.invitations.get(&member.email);
    let Some(sent) = invitation.and_then(|invitation| invitation.incomplete.as_ref()) else { return false };
    let PlanInput { live, rules, .. } = *input;
    let roles =
        rules.invitation_roles(live, &member.roles) == sent.roles && rules.can_invite_with(live, &member.roles);
    let resources = match (&sent.resources, &member.resources) {
        (Some(sent), Some(resources)) => resources == sent,
        // An invitation without resources gives all of them, with a role that allows nothing.
        (None, resources) => resources.as_ref().is_none_or(|resources| *resources == Reach::All),
        (Some(_), None) => true,
    };
    let by_default = live.assignable.as_ref().and_then(|roles| roles.default_in_teams());
    let teams = match (&sent.teams, &member.teams) {
        (Some(sent), Some(teams)) => {
            let is_default = |role: &Option<RoleName>| {
                role.as_ref().is_none_or(|role| by_default.is_some_and(|known| known.name == *role))
            };
            sent.keys().eq(teams.keys()) && teams.values().all(is_default)
        }
        (None, _) | (_, None) => true,
    };
    roles && resources && teams
}

/// Removes the teams that the plan deletes. Returns `None` and adds a finding if no team is left and the platform
/// requires one.
pub(super) fn without_deleted_teams(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    mut content: InvitationContent,
    builder: &mut PlanBuilder<'_>,
) -> Option<InvitationContent> {
    content.after.teams = content.after.teams.map(|teams| builder.teams.memberships_after(teams, false));
    let none_left = content.after.teams.as_ref().is_some_and(Memberships::is_empty);
    if none_left && input.rules.capabilities().invite_needs.contains(&InviteField::Teams) {
        builder.findings.push(
            Finding::error(
                Code::IncompleteInvitation,
                desired.place.clone(),
                format!(
                    "The invitation for {} has to be sent again, but this file deletes all of its teams.",
                    desired.email
                ),
            )
            .hint(format!("Add {TEAMS} for the invitation.")),
        );
        return None;
    }
    Some(content)
}

const TEAMS: &str = "`teams` (at least one)";

/// Returns the fields that an invitation requires and the file doesn't set.
pub(super) fn missing_fields(input: &PlanInput<'_>, desired: &DesiredUser) -> Vec<&'static str> {
    let lacks = |field: &InviteField| match field {
        InviteField::FirstName => desired.first_name.is_none().then_some("`first_name`"),
        InviteField::LastName => desired.last_name.is_none().then_some("`last_name`"),
        InviteField::Roles => desired.roles.is_none().then_some("`roles`"),
        InviteField::Teams => {
            let has_teams = desired.teams.as_ref().is_some_and(|teams| !teams.is_empty());
            (!has_teams).then_some(TEAMS)
        }
        InviteField::Resources => desired.resources.is_none().then_some("`resources` (`all`, or a tree)"),
    };
    input.rules.capabilities().invite_needs.iter().filter_map(lacks).collect()
}
