//! The capabilities of Paradime.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::account_type::{ADMIN, AccountType, NAMES, Seat, find};
use super::{Paradime, mutation_result};
use rolecall_model::{
    Action, Capabilities, Change, Effect, Entity, InviteField, KeyRemoval, Kind, KnownRoles, ListedInvitations,
    Live, LoweredMutation, ManualStep, Permission, ProviderName, Quirk, RoleName, Rules, User, UserRemoval,
};

/// The capabilities of Paradime.
const CAPABILITIES: Capabilities = Capabilities {
    provider: ProviderName::Paradime,
    // Keys can be created, listed and revoked only in the web app.
    kinds: &[Kind::User, Kind::Invitation],
    // The hosts that the vendor's pages name. One in Asia is likely, but no page names it.
    vendor_hosts: &["api.paradime.io", "api.us.paradime.io"],
    known_roles: KnownRoles::Closed {
        names: &NAMES,
        hint: "Every plan has `ADMIN`, `DEVELOPER` and `BUSINESS`. `ANALYST`, `WORKSPACE_ADMIN`, `WORKSPACE_SETTINGS_ADMIN`, `SECURITY_ADMIN` and `BILLING_ADMIN` need the Security pack. No page says which plan has `SANDBOX_USER`. A user without `roles` keeps the live role.",
    },
    implied_permissions: &[],
    fewest_admins: 0,
    invite_needs: &[InviteField::Roles],
    listed_invitations: ListedInvitations::All,
    user_removal: UserRemoval::Disable,
    person_fields: &[],
    account_field: None,
    key_needs: &[],
    key_removal: KeyRemoval::Disable,
    comes_with_organization: None,
    manual_step,
    quirks: &[
        // The page on API keys shows https://api.paradime.io/api/v1/<token of the company>/graphql.
        Quirk::SecretPath,
        // The web app lists disabled users on a tab of their own. The API doesn't list them.
        Quirk::HidesDisabled,
        Quirk::ReadsDecide,
        Quirk::OrganizationUnnamed,
        Quirk::UsersHaveIds,
    ],
};

impl Rules for Paradime {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn is_admin(&self, _: &Live, roles: &BTreeSet<RoleName>) -> bool {
        roles.iter().any(|role| role.as_str() == ADMIN)
    }

    fn gives_access(&self, _: &Live, roles: &BTreeSet<RoleName>) -> bool {
        // It isn't known what a newer role allows.
        roles.iter().any(|role| find(role).is_none_or(|known| known.gives_access))
    }

    fn is_privileged(&self, _: &BTreeSet<Permission>) -> bool {
        false
    }

    fn covers(&self, _: &Live, these: &BTreeSet<RoleName>, those: &BTreeSet<RoleName>) -> bool {
        let is_covered = |that: &RoleName| {
            these.contains(that)
                || these.iter().filter_map(find).any(|known| known.covers.contains(&that.as_str()))
        };
        those.iter().all(is_covered)
    }

    fn effects(&self, _: &Live, before: Option<&User>, after: &User) -> Vec<Effect> {
        if before.is_some_and(|before| before.roles == after.roles) {
            return Vec::new();
        }
        let seat_before = before.map(|before| seat(&before.roles));
        let seat = seat_change(seat_before, seat(&after.roles));
        let plan = after.roles.iter().filter_map(find).find_map(|known| known.plan);
        let plan = plan.map(|plan| Effect::platform("needs-plan", format!("needs the {plan}")));
        seat.into_iter().chain(plan).collect()
    }

    fn why_not_taken(&self, change: &Change) -> Option<String> {
        let reasons = mutation_result::likely_reasons(self, change);
        (!reasons.is_empty()).then(|| reasons.join(". "))
    }

    fn lower(&self, change: &Change, _: &Live) -> Vec<LoweredMutation> {
        let Some(Entity::User(user)) = &change.after else { return Vec::new() };
        let mutation =
            match change.action {
                Action::Invite => role(user)
                    .map(|role| lowered("inviteUser", [("email", json!(user.email)), ("accountType", role)])),
                Action::Update => user.id.as_ref().zip(role(user)).map(|(id, role)| {
                    lowered("updateUserAccountType", [("uid", json!(id)), ("accountType", role)])
                }),
                Action::Disable => user.id.as_ref().map(|id| lowered("disableUser", [("uid", json!(id))])),
                // The API has no other operation.
                Action::Create
                | Action::Enable
                | Action::RemoveAccess
                | Action::Cancel
                | Action::Remove
                | Action::Delete => None,
            };
        mutation.into_iter().collect()
    }
}

fn manual_step(step: ManualStep) -> &'static str {
    match step {
        ManualStep::LookUpDisabled => "in the web app, Account Settings > Team, the Disabled tab",
        ManualStep::EnableUser => {
            "in the web app, Account Settings > Team, the Disabled tab: Edit, the menu beside the user, Enable user, Save"
        }
        ManualStep::HandleInvitation => "in the web app, Account Settings > Team, among the pending users",
        ManualStep::HandleKeys | ManualStep::DescribeKey => {
            "in the web app, Account Settings > Workspace Settings, at the bottom"
        }
        ManualStep::ChangeRecord
        | ManualStep::RemoveUser
        | ManualStep::ApproveUser
        | ManualStep::ReinstateUser
        | ManualStep::ChangeOrganization => "in the web app, Account Settings > Team",
    }
}

/// Returns the user's role. A user has exactly one.
fn role(user: &User) -> Option<Value> {
    user.roles.first().map(|role| json!(role))
}

fn lowered<const N: usize>(operation: &'static str, variables: [(&str, Value); N]) -> LoweredMutation {
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    LoweredMutation::new(operation, BTreeMap::from(variables))
}

fn seat(roles: &BTreeSet<RoleName>) -> Seat {
    roles.first().and_then(find).map_or(Seat::Unknown, |AccountType { seat, .. }| *seat)
}

/// Returns the effect of a role change on the number of billed seats. A user who had no seat has `None` before. The
/// vendor doesn't say which seat some of the roles need.
fn seat_change(before: Option<Seat>, after: Seat) -> Option<Effect> {
    match (before, after) {
        (None | Some(Seat::Unbilled), Seat::Billed) => {
            Some(Effect::platform_warning("billed-seat", "takes a billed seat"))
        }
        (Some(Seat::Billed), Seat::Unbilled) => {
            Some(Effect::platform_warning("unbilled-seat", "frees a billed seat"))
        }
        (_, Seat::Unknown) | (Some(Seat::Unknown), _) => {
            Some(Effect::platform("unknown-seat", "may need another kind of seat"))
        }
        (Some(Seat::Billed), Seat::Billed) | (None | Some(Seat::Unbilled), Seat::Unbilled) => None,
    }
}
