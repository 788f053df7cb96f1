//! Organisations that have what the files with dates name, on every platform, and what somebody has in them.

use std::collections::BTreeSet;

use rolecall_sandbox::hive::Assignment;
use rolecall_sandbox::paradime::UserStatus;

use crate::support::bitpanda::Custody;
use crate::support::hive::Console;
use crate::support::paradime::Workspace;
use crate::support::rapidapi::Hub;
use crate::support::rig::Platform;
use crate::support::{bitpanda, hive, paradime, rapidapi};

/// Roles and teams, as `ADMIN` and `team/Shop`.
pub type Grants = BTreeSet<String>;

/// A platform whose organisations have what the generated files name.
pub trait Dated: Platform {
    /// The roles that the files give.
    const ROLES: &'static [&'static str];
    /// Returns an organisation with two admins whom no file lists.
    fn organization() -> Self::World;
    /// Makes somebody a member with this role and in these teams, whatever they had.
    fn put(world: &mut Self::World, email: &str, role: &str, teams: &[&str]);
    fn invite(world: &mut Self::World, email: &str, role: &str, teams: &[&str]);
    fn accept(world: &mut Self::World, email: &str);
    /// Returns what a member has. `None` for somebody without access.
    fn held(world: &Self::World, email: &str) -> Option<Grants>;
    /// Returns what an open invitation gives.
    fn invited(world: &Self::World, email: &str) -> Option<Grants>;
    /// Adds a key or a team.
    fn name(world: &mut Self::World, name: &str);
    fn has_named(world: &Self::World, name: &str) -> bool;
}

pub fn words<'a>(items: impl IntoIterator<Item = &'a str>) -> Grants {
    items.into_iter().map(ToOwned::to_owned).collect()
}

impl Dated for Custody {
    const ROLES: &'static [&'static str] = &["CLUSTER_OPS", "CLUSTER_MANAGER", "SIGNER"];

    fn organization() -> Self::World {
        let mut world = bitpanda::world();
        world.users.extend(["one", "two"].map(|name| bitpanda::user(&format!("{name}@x.example"), &["ADMIN"])));
        world
    }

    fn put(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        world.users.retain(|user| user.email != email);
        world.users.push(bitpanda::user(email, &[role]));
    }

    /// The list hides invitations, so nobody can know those of others.
    fn invite(_: &mut Self::World, _: &str, _: &str, _: &[&str]) {}

    fn accept(world: &mut Self::World, email: &str) {
        if let Some(user) = world.user_mut(email) {
            user.accepted = true;
        }
    }

    fn held(world: &Self::World, email: &str) -> Option<Grants> {
        let user = world.user(email).filter(|user| user.enabled && user.accepted)?;
        Some(user.roles.clone())
    }

    fn invited(world: &Self::World, email: &str) -> Option<Grants> {
        let user = world.user(email).filter(|user| user.enabled && !user.accepted)?;
        Some(user.roles.clone())
    }

    fn name(world: &mut Self::World, name: &str) {
        world.keys.push(bitpanda::key(name, name, &["SIGNER"], name));
    }

    fn has_named(world: &Self::World, name: &str) -> bool {
        world.keys.iter().any(|key| key.name == name && key.enabled)
    }
}

impl Dated for Console {
    const ROLES: &'static [&'static str] = &["Red", "Green"];

    fn organization() -> Self::World {
        let mut world = hive::world();
        "bank".clone_into(&mut world.projects[1].slug);
        world.projects[1].kind = world.projects[0].kind;
        hive::role(&mut world, "Red", &["project:describe", "schemaCheck:approve"]);
        hive::role(&mut world, "Green", &["project:describe"]);
        for name in ["one", "two"] {
            hive::member(&mut world, &format!("{name}@x.example"), "Admin", Assignment::All);
        }
        world
    }

    fn put(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        world.members.retain(|member| member.email != email);
        hive::member(world, email, role, Assignment::All);
    }

    fn invite(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        hive::invitation(world, email, role);
    }

    fn accept(world: &mut Self::World, email: &str) {
        world.accept(email);
    }

    fn held(world: &Self::World, email: &str) -> Option<Grants> {
        let member = world.member(email)?;
        let role = world.role_by_id(&member.role_id).unwrap();
        let is_empty = matches!(&member.resources, Assignment::Granular(projects) if projects.is_empty());
        (!role.permissions.is_empty() || !is_empty).then(|| words([&*role.name]))
    }

    fn invited(world: &Self::World, email: &str) -> Option<Grants> {
        let open = world.invitations.iter().find(|open| open.email == email)?;
        Some(words([&*world.role_by_id(&open.role_id).unwrap().name]))
    }

    fn name(world: &mut Self::World, name: &str) {
        let mut token = world.tokens[0].clone();
        (token.id, token.title, token.digest) = (hive::uuid(name), name.to_owned(), name.to_owned());
        world.tokens.push(token);
    }

    fn has_named(world: &Self::World, name: &str) -> bool {
        world.tokens.iter().any(|token| token.title == name)
    }
}

impl Dated for Workspace {
    const ROLES: &'static [&'static str] = &["ADMIN", "BUSINESS"];

    fn organization() -> Self::World {
        let mut world = paradime::world();
        for name in ["one", "two"] {
            paradime::user(&mut world, &format!("{name}@x.example"), "ADMIN");
        }
        world
    }

    fn put(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        world.users.retain(|user| user.email != email);
        paradime::user(world, email, role);
    }

    fn invite(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        paradime::invitation(world, email, role, "SENT");
    }

    fn accept(world: &mut Self::World, email: &str) {
        world.accept(email);
    }

    fn held(world: &Self::World, email: &str) -> Option<Grants> {
        let user = world.user(email).filter(|user| user.status == UserStatus::Active)?;
        Some(words([&*user.account_type]))
    }

    fn invited(world: &Self::World, email: &str) -> Option<Grants> {
        world.invitation(email).map(|open| words([&*open.account_type]))
    }

    fn name(_: &mut Self::World, _: &str) {}

    fn has_named(_: &Self::World, _: &str) -> bool {
        false
    }
}

impl Dated for Hub {
    const ROLES: &'static [&'static str] = &["Developer", "Organization Admin"];

    fn organization() -> Self::World {
        let mut world = rapidapi::with_teams(&["Shop", "Bank", "Post"]);
        for name in ["one", "two"] {
            rapidapi::member(&mut world, &format!("{name}@x.example"), true, &[]);
        }
        world
    }

    fn put(world: &mut Self::World, email: &str, role: &str, teams: &[&str]) {
        let organization = rapidapi::acme(world);
        if let Some(user) = world.user(email).map(|user| user.id) {
            let found = world.organization_mut(organization).unwrap();
            found.members.retain(|member| member.user != user);
            for team in &mut found.teams {
                team.members.retain(|member| *member != user);
            }
            world.assignments.retain(|row| row.entity != user);
        }
        let teams: Vec<(&str, &str)> = teams.iter().map(|team| (*team, "team-developer")).collect();
        rapidapi::member(world, email, role != "Developer", &teams);
    }

    fn invite(world: &mut Self::World, email: &str, role: &str, teams: &[&str]) {
        rapidapi::invitation(world, email, if role == "Developer" { "DEVELOPER" } else { "ADMIN" }, teams);
    }

    fn accept(world: &mut Self::World, email: &str) {
        let organization = rapidapi::acme(world);
        world.accept(organization, email);
    }

    fn held(world: &Self::World, email: &str) -> Option<Grants> {
        let user = world.user(email)?;
        let found = world.organization("acme")?;
        world.team_access(found.id).get(&user.id.to_string())?;
        let is_admin = world.is_org_admin(found.id, user.id);
        let teams = found.teams.iter().filter(|team| !is_admin && world.is_in_team(team.id, user.id));
        let role = if is_admin { "Organization Admin" } else { "Developer" };
        Some(teams.map(|team| format!("team/{}", team.name)).chain([role.to_owned()]).collect())
    }

    fn invited(world: &Self::World, email: &str) -> Option<Grants> {
        let (_, role, teams) = rapidapi::invited(world).into_iter().find(|(open, _, _)| open == email)?;
        let role = if role == "ADMIN" { "Organization Admin" } else { "Developer" };
        Some(teams.iter().map(|team| format!("team/{team}")).chain([role.to_owned()]).collect())
    }

    fn name(world: &mut Self::World, name: &str) {
        let organization = rapidapi::acme(world);
        world.add_team(organization, name);
    }

    fn has_named(world: &Self::World, name: &str) -> bool {
        let found = world.organization("acme").unwrap();
        found.teams.iter().any(|team| team.name == name && !team.deleted)
    }
}
