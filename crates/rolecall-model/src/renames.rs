//! The [`Renames`] of roles and teams: the names that they get, or have got, instead of earlier ones.
//!
//! For example, the file has the role `Reviewer`, which was `Schema reviewer` before. In live, Jane has the role `Schema
//! reviewer`, and an invitation in the ledger gives it to Tom. With the rename, both have `Reviewer`, as the file says.

use std::collections::{BTreeMap, BTreeSet};

use super::lookup::Orders;
use super::{Address, Change, Desired, Entity, Facts, Key, Live, OrganizationPlan, RoleName, TeamName, User};

/// New names of roles and teams, by their earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames {
    pub roles: BTreeMap<RoleName, RoleName>,
    pub teams: BTreeMap<TeamName, TeamName>,
}

impl Renames {
    /// Returns the rename that a change of a role or a team makes, if it makes one.
    pub fn of_change(change: &Change) -> Self {
        let mut renames = Self::default();
        match (&change.before, &change.after) {
            _ if change.renamed_from().is_none() => {}
            (Some(Entity::Role(before)), Some(Entity::Role(after))) => {
                renames.roles.insert(before.name.clone(), after.name.clone());
            }
            (Some(Entity::Team(before)), Some(Entity::Team(after))) => {
                renames.teams.insert(before.name.clone(), after.name.clone());
            }
            _ => {}
        }
        renames
    }

    /// Returns the renames that a plan makes.
    pub fn of_plan(plan: &OrganizationPlan) -> Self {
        let mut renames = Self::default();
        for Self { roles, teams } in plan.sealed.changes.iter().map(Self::of_change) {
            renames.roles.extend(roles);
            renames.teams.extend(teams);
        }
        renames
    }

    /// Returns the renames that undo these.
    #[must_use]
    pub fn reversed(self) -> Self {
        let Self { roles, teams } = self;
        Self {
            roles: roles.into_iter().map(|(before, now)| (now, before)).collect(),
            teams: teams.into_iter().map(|(before, now)| (now, before)).collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.teams.is_empty()
    }

    /// Returns the name that a role gets, or has already.
    fn role(&self, role: RoleName) -> RoleName {
        self.roles.get(&role).cloned().unwrap_or(role)
    }

    /// Returns the name that a team gets, or has already.
    fn team(&self, team: TeamName) -> TeamName {
        self.teams.get(&team).cloned().unwrap_or(team)
    }

    fn rename_roles(&self, roles: &mut BTreeSet<RoleName>) {
        *roles = std::mem::take(roles).into_iter().map(|role| self.role(role)).collect();
    }

    fn rename_teams<V>(&self, teams: &mut BTreeMap<TeamName, V>) {
        *teams = std::mem::take(teams).into_iter().map(|(team, value)| (self.team(team), value)).collect();
    }

    /// Gives the roles and teams that a file names the names that they have in live, if these are the new ones here.
    pub fn rename_in_desired(&self, desired: &mut Desired) {
        for role in &mut desired.roles {
            role.name = self.role(role.name.clone());
        }
        for team in &mut desired.teams {
            team.name = self.team(team.name.clone());
        }
        if let Some(role) = &mut desired.containment_role {
            role.value = self.role(role.value.clone());
        }
        for user in &mut desired.users {
            user.roles.iter_mut().for_each(|roles| self.rename_roles(&mut roles.value));
            user.teams.iter_mut().for_each(|teams| self.rename_teams(teams));
        }
        desired.keys.iter_mut().filter_map(|key| key.roles.as_mut()).for_each(|roles| self.rename_roles(roles));
        desired.tolerated.iter_mut().for_each(|tolerated| self.rename_roles(&mut tolerated.roles));
        let roles = self.roles.iter().map(|(before, now)| (Address::role(before), Address::role(now)));
        let teams = self.teams.iter().map(|(before, now)| (Address::team(before), Address::team(now)));
        for (before, now) in roles.chain(teams) {
            if let Some(note) = desired.notes.remove(&before) {
                desired.notes.insert(now, note);
            }
        }
    }

    /// Gives the roles and teams that a user or a key has their new names. Roles and teams themselves stay as they are.
    pub fn rename_in(&self, entity: &mut Entity) {
        match entity {
            Entity::User(user) => self.rename_in_user(user),
            Entity::Key(key) => self.rename_in_key(key),
            Entity::Organization(_) | Entity::Team(_) | Entity::Role(_) => {}
        }
    }

    fn rename_in_user(&self, user: &mut User) {
        self.rename_roles(&mut user.roles);
        user.teams.iter_mut().for_each(|teams| self.rename_teams(teams));
    }

    fn rename_in_key(&self, key: &mut Key) {
        key.roles.iter_mut().for_each(|roles| self.rename_roles(roles));
    }

    fn rename_in_change(&self, change: &mut Change) {
        change.before.iter_mut().chain(&mut change.after).for_each(|entity| self.rename_in(entity));
    }

    /// Gives roles and teams their new names in live. A role or a team that had another name keeps that one beside it
    /// (`renamed_from`).
    pub fn rename_in_live(&self, live: &mut Live) {
        if self.is_empty() {
            return;
        }
        live.orders = Orders::default();
        for role in live.roles.iter_mut().flat_map(|list| &mut list.items) {
            if let Some(now) = self.roles.get(&role.name) {
                role.renamed_from = Some(std::mem::replace(&mut role.name, now.clone()));
            }
        }
        for team in live.teams.iter_mut().flat_map(|list| &mut list.items) {
            if let Some(now) = self.teams.get(&team.name) {
                team.renamed_from = Some(std::mem::replace(&mut team.name, now.clone()));
            }
        }
        for user in live.users.items.iter_mut().chain(&mut live.non_members) {
            self.rename_roles(&mut user.roles);
            user.teams.iter_mut().for_each(|teams| self.rename_teams(teams));
            self.rename_teams(&mut user.stale_team_roles);
        }
        for open in live.invitations.iter_mut().flat_map(|list| &mut list.items) {
            open.role = self.role(open.role.clone());
            open.teams = open.teams.take().map(|teams| teams.into_iter().map(|team| self.team(team)).collect());
        }
        for key in live.keys.iter_mut().flat_map(|list| &mut list.items) {
            key.roles.iter_mut().for_each(|roles| self.rename_roles(roles));
        }
        for row in &mut live.unreadable {
            self.rename_roles(&mut row.roles);
        }
        for app in &mut live.apps {
            let owner = self.teams.iter().find(|(before, _)| app.owner == Address::team(before).to_string());
            if let Some((_, now)) = owner {
                app.owner = Address::team(now).to_string();
            }
        }
    }

    /// Gives roles and teams their new names in what the ledger knows of users and keys.
    pub fn rename_in_facts(&self, facts: &mut Facts) {
        if self.is_empty() {
            return;
        }
        for invitation in facts.invitations.values_mut() {
            invitation.incomplete.iter_mut().for_each(|user| self.rename_in_user(user));
        }
        facts.cancelled_to_correct.values_mut().for_each(|user| self.rename_in_user(user));
        facts.applied.values_mut().filter_map(|applied| applied.after.as_mut()).for_each(|it| self.rename_in(it));
        facts.refused.values_mut().for_each(|(_, change)| self.rename_in_change(change));
        facts.held.values_mut().for_each(|held| self.rename_in_change(&mut held.change));
        for earlier in facts.not_taken.values_mut() {
            self.rename_in_change(&mut earlier.change);
            earlier.left_as.iter_mut().for_each(|entity| self.rename_in(entity));
        }
        facts.minted.values_mut().for_each(|minted| self.rename_in_key(&mut minted.requested));
        facts.lost_mints.iter_mut().for_each(|lost| self.rename_in_key(&mut lost.minted.requested));
    }

    /// Gives roles and teams their new names in a plan's changes of users and keys.
    pub fn rename_in_plan(&self, plan: &mut OrganizationPlan) {
        plan.sealed.changes.iter_mut().for_each(|change| self.rename_in_change(change));
    }
}
