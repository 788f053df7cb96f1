//! Computes the content of an invitation: the roles, resources and teams that it can carry.

use std::collections::BTreeSet;

use super::super::collection::PlannedState;
use super::super::decision::{Decision, Lookup};
use super::super::{PlanInput, ended, resolve, teams};
use super::Situation;
use super::decide::role_problem;
use rolecall_model::{
    Address, Code, DesiredUser, Finding, HoldReason, InviteField, ManualStep, Memberships, Quirk, Reach, RoleName,
    User,
};

/// The content of an invitation.
pub(super) struct InvitationContent {
    pub after: User,
    /// True if the invitation gives no access yet, because it can't carry resources. A later plan gives it.
    pub without_access: bool,
    /// True if the invitation can't carry all the roles of the file. A later plan gives the rest.
    pub roles_follow: bool,
}

/// Returns the content of a new invitation: that of an expired or cancelled one if the file gives no roles of its own,
/// and else what the file asks for.
pub(super) fn new_content(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    now: &Situation<'_>,
    planned: &PlannedState,
) -> Lookup<InvitationContent> {
    if let Some(content) = expired_content(input, desired, now) {
        return Lookup::found(content);
    }
    let missing = missing_fields(input, desired);
    if !missing.is_empty() && input.rules.has(Quirk::HidesDisabled) {
        // The user may only have been disabled in the web app. A finding here would stop the whole plan.
        let step = input.rules.manual_step(ManualStep::EnableUser).to_owned();
        let reason = HoldReason::Incomplete { missing: missing.join(", "), step };
        return Lookup::failed(Decision::Hold(Address::user(&desired.email), reason));
    }
    // An interrupted run may have cancelled an invitation, in order to send this one.
    let cancelled = input.facts.cancelled_to_correct.get(&desired.email).cloned().map(|earlier| {
        let teams = earlier.teams.map(|teams| planned.teams.existing_after(teams));
        User { teams: teams.filter(|teams| !teams.is_empty()), ..earlier }
    });
    match cancelled {
        Some(earlier) if desired.roles.is_none() => unchanged_content(input, desired, earlier, planned),
        earlier => {
            let teams = earlier.and_then(|earlier| earlier.teams);
            invitation_content(input, desired, teams.as_ref(), planned)
        }
    }
}

/// Returns the content of an expired invitation, to be sent again, or `None` if the file gives roles of its own or
/// the old role can no longer be given.
fn expired_content(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    now: &Situation<'_>,
) -> Option<InvitationContent> {
    let expired = now.invitations.expired.first().filter(|_| desired.roles.is_none())?;
    let can_be_given = input.rules.capabilities().known_roles.can_be_given(&expired.role);
    let after = User { invited_at: None, ..expired.entity() };
    can_be_given.then_some(InvitationContent { after, without_access: false, roles_follow: false })
}

/// Returns the content of an existing invitation, with the teams of the file if it names any.
pub(super) fn unchanged_content(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    kept: User,
    planned: &PlannedState,
) -> Lookup<InvitationContent> {
    let Lookup { value, decisions } = teams::memberships(input, desired, kept.teams.as_ref(), &planned.teams);
    let content = value.map(|teams| {
        let teams = teams.map(|teams| teams.into_keys().map(|team| (team, None)).collect());
        InvitationContent { after: User { teams, ..kept }, without_access: false, roles_follow: false }
    });
    Lookup { value: content, decisions }
}

/// Returns the content of the invitation that the file asks for. `earlier` are the teams of an earlier invitation,
/// which are kept if the file doesn't mention teams.
pub(super) fn invitation_content(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    earlier: Option<&Memberships>,
    planned: &PlannedState,
) -> Lookup<InvitationContent> {
    let mut missing = missing_fields(input, desired);
    missing.retain(|field| *field != TEAMS || earlier.is_none());
    if !missing.is_empty() {
        let ended = ended::of_user(input, &desired.email);
        // What an entry lacks may be what has ended.
        let has_ended = |field: &&str| {
            *field == TEAMS && !ended.teams.is_empty() || *field == "`roles`" && !ended.roles.is_empty()
        };
        let ended = ended.until.filter(|_| missing.iter().any(has_ended));
        let missing = missing.join(", ");
        let message = format!("{} isn't a member yet, and an invitation requires {missing}.", desired.email);
        let hint = match ended {
            Some(until) => format!("What the entry gave ended on {until}. Remove the entry, or add {missing}."),
            None => format!("Add {missing}."),
        };
        return Lookup::failed(Decision::Finding(
            Finding::error(Code::IncompleteInvitation, desired.place.clone(), message).hint(hint),
        ));
    }
    let roles = desired.roles.as_ref().map(|roles| roles.value.clone()).unwrap_or_default();
    if let Some(problem) = role_problem(desired, &Address::user(&desired.email), &roles, planned) {
        return Lookup::failed(problem);
    }
    let mut decisions = Vec::new();
    Lookup { value: content(input, desired, roles, earlier, planned, &mut decisions), decisions }
}

fn content(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    mut roles: BTreeSet<RoleName>,
    earlier: Option<&Memberships>,
    planned: &PlannedState,
    decisions: &mut Vec<Decision>,
) -> Option<InvitationContent> {
    let mut resources = match &desired.resources {
        Some(desired) => Some(resolve::resources(input, desired).note(decisions)?),
        None => None,
    };
    let can_carry = input.live.invitations_carry_resources;
    let without_access = !can_carry && resources.as_ref().is_some_and(|resources| *resources != Reach::All);
    if without_access {
        // The role of an accepted invitation applies to all resources, so it has to be a role that allows nothing.
        let Some(empty) = planned.roles.containment_role().note(decisions) else {
            let named = input.desired.containment_role.as_ref();
            let skipped = named.map(|role| HoldReason::RoleSkipped { role: role.value.clone() });
            decisions.extend(skipped.map(|reason| Decision::Hold(Address::user(&desired.email), reason)));
            return None;
        };
        roles = BTreeSet::from([empty]);
        resources = None;
    }
    let teams = teams::memberships(input, desired, earlier, &planned.teams).note(decisions)?;
    let in_teams = input.live.assignable.as_ref().and_then(|roles| roles.default_in_teams());
    let by_default = |role: &RoleName| in_teams.is_some_and(|known| known.name == *role);
    let team_roles =
        desired.teams.iter().flat_map(|teams| teams.values()).filter_map(|role| role.value.as_deref());
    let roles_follow = !input.rules.can_invite_with(input.live, &roles) || !team_roles.into_iter().all(by_default);
    let DesiredUser { email, first_name, last_name, phone, .. } = desired;
    let after = User {
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        phone: phone.clone(),
        roles: input.rules.invitation_roles(input.live, &roles),
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

/// Removes the teams that the plan deletes. If none is left and the platform requires one, that is an error.
pub(super) fn without_deleted_teams(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    mut content: InvitationContent,
    planned: &PlannedState,
) -> Lookup<InvitationContent> {
    content.after.teams = content.after.teams.map(|teams| planned.teams.memberships_after(teams, false));
    let none_left = content.after.teams.as_ref().is_some_and(Memberships::is_empty);
    if none_left && input.rules.capabilities().invite_needs.contains(&InviteField::Teams) {
        let why = match &desired.teams {
            Some(teams) if teams.is_empty() => "its entry has no team",
            Some(_) | None => "this file deletes all of its teams",
        };
        let message = format!("The invitation for {} has to be sent again, but {why}.", desired.email);
        return Lookup::failed(Decision::Finding(
            Finding::error(Code::IncompleteInvitation, desired.place.clone(), message)
                .hint(format!("Add {TEAMS} for the invitation.")),
        ));
    }
    Lookup::found(content)
}

const TEAMS: &str = "`teams` (at least one)";

/// Returns the fields that an invitation requires and the file doesn't set.
fn missing_fields(input: &PlanInput<'_>, desired: &DesiredUser) -> Vec<&'static str> {
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
