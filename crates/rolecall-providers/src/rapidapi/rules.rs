//! The capabilities of a RapidAPI hub.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{RapidApi, context, lower, shows};
use rolecall_model::{
    AccountField, Capabilities, Change, Desired, Effect, Entity, InviteField, KeyRemoval, Kind, KnownRoles,
    ListedInvitations, Live, LoweredMutation, ManualStep, Mutation, Permission, ProviderName, Quirk, RoleName,
    Rules, Seen, TeamName, User, UserRemoval, Variables,
};

/// The roles of invitations. They belong to an older system of roles, and the vendor's pages show these two.
pub(super) const ADMIN: &str = "ADMIN";
const DEVELOPER: &str = "DEVELOPER";

/// The capabilities of a RapidAPI hub.
const CAPABILITIES: Capabilities = Capabilities {
    provider: ProviderName::Rapidapi,
    kinds: &[Kind::Organization, Kind::Team, Kind::User, Kind::Invitation],
    // The hosts in the vendor's tools and examples. Other hosts below p.rapidapi.com serve the APIs of anybody.
    vendor_hosts: &["graphql-platform.p.rapidapi.com", "platform-graphql.p.rapidapi.com"],
    known_roles: KnownRoles::Open(&[]),
    implied_permissions: &[],
    fewest_admins: 1,
    invite_needs: &[InviteField::Roles, InviteField::Teams],
    // The documentation says neither when invitations expire nor whether expired ones are listed. A day is a
    // cautious guess.
    listed_invitations: ListedInvitations::Open(SignedDuration::from_hours(24)),
    user_removal: UserRemoval::Remove,
    person_fields: &[],
    account_field: Some(AccountField::Status),
    key_needs: &[],
    key_removal: KeyRemoval::Delete,
    // The list comes from the vendor's page "Organizations (GQL)".
    comes_with_organization: Some("a team, an app of that, and a subscription for its seats"),
    manual_step,
    quirks: &[
        Quirk::AdminsInEveryTeam,
        Quirk::RequiresSelf,
        Quirk::ShowsUnmanagedKeys,
        Quirk::ChangesInvitations,
        Quirk::ReadsDecide,
        Quirk::SharedAccounts,
    ],
};

impl Rules for RapidApi {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn is_admin(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool {
        is_admin(live, roles)
    }

    fn is_privileged(&self, _: &BTreeSet<Permission>) -> bool {
        false
    }

    fn gives_access(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool {
        // The hub doesn't list the roles of invitations.
        is_admin(live, roles) || roles.iter().any(|role| role.as_str() == ADMIN)
    }

    fn covers(&self, live: &Live, these: &BTreeSet<RoleName>, those: &BTreeSet<RoleName>) -> bool {
        is_admin(live, these) || those.is_subset(these)
    }

    fn invitation_roles(&self, live: &Live, roles: &BTreeSet<RoleName>) -> BTreeSet<RoleName> {
        BTreeSet::from([RoleName::seen(if is_admin(live, roles) { ADMIN } else { DEVELOPER })])
    }

    fn can_invite_with(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool {
        let default_role = live.assignable.as_ref().and_then(|roles| roles.default_in_organization());
        // An invitation as developer gives the default role, if the hub has exactly one.
        is_admin(live, roles) || default_role.is_some_and(|role| roles.iter().eq([&role.name]))
    }

    fn effects(&self, live: &Live, before: Option<&User>, after: &User) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(before) = before else { return effects };
        if before.enabled != after.enabled {
            effects.push(Effect::EveryOrganization);
        }
        if before.enabled != after.enabled && after.enabled == Seen::Known(false) {
            // The vendor's page on user management says: "Personal subscriptions are deleted".
            effects.push(Effect::CascadesTo { what: "their personal subscriptions".to_owned() });
        }
        if is_admin(live, &after.roles) && !is_admin(live, &before.roles) {
            effects.push(Effect::platform("joins-every-team", "joins every team"));
        }
        if is_admin(live, &before.roles)
            && !is_admin(live, &after.roles)
            && !after.outside
            && after.teams.is_none()
        {
            effects.push(Effect::platform_warning(
                "may-leave-teams",
                "may leave teams: list the ones to keep in `teams`",
            ));
        }
        let default = live.assignable.as_ref().and_then(|roles| roles.default_in_organization());
        if let Some(role) = default.filter(|_| is_admin(live, &before.roles) && after.outside && !before.outside) {
            effects.push(Effect::DefaultRole { role: role.name.clone() });
        }
        // A role in a team outlives the membership, and applies again when the user rejoins.
        let user = after.id.as_ref().and_then(|id| live.user(id));
        let joins = |team: &TeamName| before.teams.as_ref().is_some_and(|teams| !teams.contains_key(team));
        for (team, role) in after.teams.iter().flatten().filter(|(team, _)| joins(team)) {
            let stale = user.and_then(|user| user.stale_team_roles.get(team));
            let stale = stale.filter(|stale| Some(*stale) != role.as_ref());
            effects.extend(stale.map(|stale| {
                Effect::platform("earlier-role-applies", format!("returns to {team} as {stale} at first"))
            }));
        }
        effects
    }

    fn cascades_to(&self, entity: &Entity) -> Option<&'static str> {
        match entity {
            Entity::Organization(_) => Some("all of its teams, their apps with their keys, and their APIs"),
            Entity::Team(_) => Some("its apps with their keys, and its APIs"),
            Entity::User(_) => Some("their personal apps and APIs"),
            Entity::Role(_) | Entity::Key(_) => None,
        }
    }

    fn uncallable(&self, credentials: &BTreeSet<&str>, desired: &Desired) -> Vec<&'static str> {
        context::uncallable(credentials, desired)
    }

    fn shows(&self, mutation: &Mutation, change: &Change, live: &Live) -> Option<bool> {
        shows::shows(mutation, change, live)
    }

    fn merged(&self, operation: &str, variables: &[&Variables]) -> Option<Variables> {
        lower::merged(operation, variables)
    }

    fn lower(&self, change: &Change, live: &Live) -> Vec<LoweredMutation> {
        lower::lower(change, live)
    }
}

fn manual_step(step: ManualStep) -> &'static str {
    match step {
        ManualStep::HandleKeys | ManualStep::DescribeKey => "on the app's own page, under Authorization",
        ManualStep::ApproveUser => "in the Admin Panel, Users",
        ManualStep::ReinstateUser
        | ManualStep::ChangeRecord
        | ManualStep::RemoveUser
        | ManualStep::LookUpDisabled
        | ManualStep::EnableUser
        | ManualStep::HandleInvitation => "in the organisation's dashboard, Users",
        ManualStep::ChangeOrganization => "in the organisation's dashboard, Settings",
    }
}

/// Returns whether one of these roles is the admin role of the hub, or the one that the file names with
/// `admin_role`.
pub(super) fn is_admin(live: &Live, roles: &BTreeSet<RoleName>) -> bool {
    live.assignable.as_ref().is_some_and(|known| known.make_admin(roles))
}
