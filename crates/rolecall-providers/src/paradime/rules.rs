//! What Paradime can and can't do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::account_type::{ADMIN, AccountType, NAMES, Seat, find};
use super::{Paradime, receipt};
use rolecall_model::{
    Action, Call, Change, Effect, Entity, InviteField, KeyField, KeyRemoval, Kind, KnownRoles, ListedInvitations,
    Live, ManualStep, Permission, ProviderName, RoleName, Rules, SeatChange, User, UserRemoval,
};

impl Rules for Paradime {
    fn provider(&self) -> ProviderName {
        ProviderName::Paradime
    }

    fn kinds(&self) -> &'static [Kind] {
        // Keys are made, listed and revoked in the web app only.
        &[Kind::User, Kind::Invitation]
    }

    fn vendor_hosts(&self) -> &'static [&'static str] {
        // As the pages name them. One in Asia is likely, and nowhere named.
        &["api.paradime.io", "api.us.paradime.io"]
    }

    fn known_roles(&self) -> KnownRoles {
        KnownRoles::Closed {
            names: &NAMES,
            hint: "`ADMIN`, `DEVELOPER` and `BUSINESS` are part of every plan; `ANALYST`, `WORKSPACE_ADMIN`, `WORKSPACE_SETTINGS_ADMIN`, `SECURITY_ADMIN` and `BILLING_ADMIN` need the Security pack; of `SANDBOX_USER` no page says. Without `roles` a user keeps what is live",
        }
    }

    fn has_secret_path(&self) -> bool {
        // https://api.paradime.io/api/v1/<token of the company>/graphql, by the page on API keys.
        true
    }

    fn is_admin(&self, _: &Live, roles: &BTreeSet<RoleName>) -> bool {
        roles.iter().any(|role| role.as_str() == ADMIN)
    }

    fn gives_access(&self, _: &Live, roles: &BTreeSet<RoleName>) -> bool {
        // Of one that came later nobody knows.
        roles.iter().any(|role| find(role).is_none_or(|known| known.gives_access))
    }

    fn is_privileged(&self, _: &BTreeSet<Permission>) -> bool {
        false
    }

    fn covers(&self, _: &Live, these: &BTreeSet<RoleName>, those: &BTreeSet<RoleName>) -> bool {
        let allowed = |that: &RoleName| {
            these.contains(that)
                || these.iter().filter_map(find).any(|known| known.covers.contains(&that.as_str()))
        };
        those.iter().all(allowed)
    }

    fn effects(&self, _: &Live, before: Option<&User>, after: &User) -> Vec<Effect> {
        if before.is_some_and(|before| before.roles == after.roles) {
            return Vec::new();
        }
        let was = before.map(|before| seat(&before.roles));
        let seat = seat_change(was, seat(&after.roles)).map(|change| Effect::Seat { change });
        let plan = after.roles.iter().filter_map(find).find_map(|known| known.plan);
        let plan = plan.map(|plan| Effect::NeedsPlan { plan: plan.to_owned() });
        seat.into_iter().chain(plan).collect()
    }

    fn invite_needs(&self) -> &'static [InviteField] {
        &[InviteField::Roles]
    }

    fn key_needs(&self) -> &'static [KeyField] {
        &[]
    }

    fn user_removal(&self) -> UserRemoval {
        UserRemoval::Disable
    }

    fn hides_disabled(&self) -> bool {
        // They have a tab of their own in the web app, and no list in the API.
        true
    }

    fn key_removal(&self) -> KeyRemoval {
        KeyRemoval::Disable
    }

    fn listed_invitations(&self) -> ListedInvitations {
        ListedInvitations::All
    }

    fn changes_invitations(&self) -> bool {
        false
    }

    fn has_approvals(&self) -> bool {
        false
    }

    fn implied_permissions(&self) -> &'static [&'static str] {
        &[]
    }

    fn manual_step(&self, chore: ManualStep) -> &'static str {
        match chore {
            ManualStep::LookUpDisabled => "in the web app, Account Settings > Team, the Disabled tab",
            ManualStep::EnableUser => {
                "in the web app, Account Settings > Team, the Disabled tab: Edit, the menu beside them, Enable user, Save"
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

    fn why_not_taken(&self, change: &Change) -> Option<String> {
        let reasons = receipt::why_not(self, change);
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn names_organization(&self) -> bool {
        false
    }

    fn lower(&self, change: &Change, _: &Live) -> Vec<Call> {
        let Some(Entity::User(user)) = &change.after else { return Vec::new() };
        let call = match change.action {
            Action::Invite => {
                role(user).map(|role| call("inviteUser", [("email", json!(user.email)), ("accountType", role)]))
            }
            Action::Update => user
                .id
                .as_ref()
                .zip(role(user))
                .map(|(id, role)| call("updateUserAccountType", [("uid", json!(id)), ("accountType", role)])),
            Action::Disable => user.id.as_ref().map(|id| call("disableUser", [("uid", json!(id))])),
            // There is no other call.
            Action::Create
            | Action::Enable
            | Action::RemoveAccess
            | Action::Cancel
            | Action::Remove
            | Action::Delete => None,
        };
        call.into_iter().collect()
    }
}

/// The one that a user has.
fn role(user: &User) -> Option<Value> {
    user.roles.first().map(|role| json!(role))
}

fn call<const N: usize>(operation: &'static str, variables: [(&str, Value); N]) -> Call {
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    Call::closing(operation, BTreeMap::from(variables))
}

fn seat(roles: &BTreeSet<RoleName>) -> Seat {
    roles.first().and_then(find).map_or(Seat::Unknown, |AccountType { seat, .. }| *seat)
}

/// Between two kinds of seats. `was` is None for somebody who had none.
fn seat_change(was: Option<Seat>, is: Seat) -> Option<SeatChange> {
    match (was, is) {
        (None | Some(Seat::Unbilled), Seat::Billed) => Some(SeatChange::Billed),
        (Some(Seat::Billed), Seat::Unbilled) => Some(SeatChange::Unbilled),
        (_, Seat::Unknown) | (Some(Seat::Unknown), _) => Some(SeatChange::Unknown),
        (Some(Seat::Billed), Seat::Billed) | (None | Some(Seat::Unbilled), Seat::Unbilled) => None,
    }
}
