//! Finds the changes that take access which a file gave until a certain time, or from people who have left the directory.
//!
//! For example, a file gives Jane the role `ADMIN` until the last day of the year, and `CLUSTER_OPS` forever. In January,
//! the change that takes `ADMIN` from her is due because of the date: it needs no review, and is no drift. If somebody has
//! also given her `SIGNER` by hand, the same update takes that too. Then it isn't due because of the date alone, and it is
//! reviewed like any other change.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::PlanInput;
use rolecall_model::{
    Address, Cause, Change, Desired, Email, Ending, EndingAccess, Entity, HoldClass, HoldReason, Kind, NearEnding,
    OrganizationPlan, Quirk, RoleName, Sealed, Seen, TeamName, Until, User,
};

/// Everything of one entity that has ended.
#[derive(Default)]
pub(super) struct Ended<'a> {
    pub until: Option<Until>,
    pub roles: BTreeSet<&'a RoleName>,
    pub teams: BTreeSet<(&'a TeamName, Option<&'a RoleName>)>,
    /// True if an entry or what a group gives has ended.
    entry: bool,
}

/// Returns everything of a user that has ended.
pub(super) fn of_user<'a>(input: &PlanInput<'a>, email: &Email) -> Ended<'a> {
    let mut ended = Ended::default();
    let address = Address::user(email);
    for Ending { until, what, .. } in
        input.desired.endings.iter().filter(|ending| ending.address.listed() == address)
    {
        if until.is_past(input.now) {
            ended.add(*until, what);
        }
    }
    ended
}

/// Gives the changes that are due because of a date, or because somebody has left the directory, this cause.
pub(super) fn mark(input: &PlanInput<'_>, changes: &mut [Change]) {
    let left = &input.desired.left;
    for change in changes.iter_mut().filter(|change| is_by_file(&change.cause) && change.action.takes_access()) {
        let listed = change.address.listed();
        if left.contains(&listed) || left.contains(&Address { id: None, ..listed }) {
            change.cause = Cause::LeftDirectory;
        }
    }
    let mut ended: BTreeMap<&Address, Ended<'_>> = BTreeMap::new();
    for Ending { until, address, what, place: _ } in &input.desired.endings {
        if !until.is_past(input.now) {
            continue;
        }
        ended.entry(address).or_default().add(*until, what);
    }
    if ended.is_empty() {
        return;
    }
    for change in changes.iter_mut().filter(|change| is_by_file(&change.cause)) {
        let listed = change.address.listed();
        let found = ended.get(&listed).or_else(|| ended.get(&Address { id: None, ..listed.clone() }));
        if let Some(Ended { until: Some(until), .. }) = found
            && found.is_some_and(|found| found.explains(input, change))
        {
            change.cause = Cause::Ended { until: *until };
        }
    }
}

fn is_by_file(cause: &Cause) -> bool {
    matches!(cause, Cause::Declared | Cause::DeclaredAbsent | Cause::NotListed)
}

/// Returns the names of everybody and everything of which some access has ended.
pub(super) fn ended_names<'a>(input: &PlanInput<'a>) -> BTreeSet<&'a str> {
    let past = input.desired.endings.iter().filter(|ending| ending.until.is_past(input.now));
    past.map(|ending| &*ending.address.name).collect()
}

/// Returns the access that ends within the horizon, and the access that has ended and that the plan takes or skips.
pub fn near_endings(
    desired: &Desired,
    plan: &OrganizationPlan,
    now: Timestamp,
    horizon: SignedDuration,
) -> Vec<NearEnding> {
    let Sealed { changes, holds, .. } = &plan.sealed;
    let taken = changes.iter().filter(|change| matches!(change.cause, Cause::Ended { .. }));
    let blocked = holds.iter().filter(|hold| hold.class == HoldClass::Blocked).map(|hold| &hold.address);
    let open: BTreeSet<&str> =
        taken.map(|change| &change.address).chain(blocked).map(|address| &*address.name).collect();
    // A file may tell when somebody leaves who isn't in this organisation.
    let listed = desired.users.iter().map(|user| user.email.key());
    let here: BTreeSet<&str> = listed.chain(holds.iter().map(|hold| &*hold.address.name)).collect();
    let is_here = |address: &Address| address.kind != Kind::User || here.contains(&*address.name);
    let near = desired.endings.iter().filter_map(|ending| {
        let left = ending.until.instant().duration_since(now);
        let is_shown = if ending.until.is_past(now) {
            open.contains(&*ending.address.name)
        } else {
            left <= horizon && is_here(&ending.address)
        };
        is_shown.then(|| NearEnding { ending: ending.clone(), days: days(left) })
    });
    // Of tolerated roles, those that somebody has.
    let tolerated = plan.sealed.holds.iter().filter_map(|hold| match &hold.reason {
        HoldReason::Tolerated { roles, until, .. } => {
            let stated = desired.tolerated.iter().find(|it| Address::user(&it.email) == hold.address)?;
            let left = until.instant().duration_since(now);
            let ending = Ending {
                until: *until,
                address: hold.address.clone(),
                what: EndingAccess::Tolerated { roles: roles.clone() },
                place: stated.place.to_string(),
            };
            (left <= horizon).then(|| NearEnding { ending, days: days(left) })
        }
        _ => None,
    });
    let mut near: Vec<NearEnding> = near.chain(tolerated).collect();
    near.sort();
    near.dedup();
    near
}

/// Returns the whole days that are left, or minus one and the whole days since the end.
fn days(left: SignedDuration) -> i64 {
    let days = left.as_hours() / 24;
    if left.is_positive() { days } else { days - 1 }
}

impl<'a> Ended<'a> {
    fn add(&mut self, until: Until, what: &'a EndingAccess) {
        self.until = self.until.max(Some(until));
        match what {
            EndingAccess::All | EndingAccess::Tolerated { .. } | EndingAccess::Age | EndingAccess::Overlap => {}
            EndingAccess::Entry { roles, teams } | EndingAccess::Group { group: _, roles, teams } => {
                self.entry = true;
                self.roles.extend(roles);
                self.teams.extend(teams.iter().map(|(team, role)| (team, role.as_ref())));
            }
            EndingAccess::Role { role } => {
                self.roles.insert(role);
            }
            EndingAccess::Team { team, role } => {
                self.teams.insert((team, role.as_ref()));
            }
        }
    }

    /// Returns whether a change takes only what has ended.
    fn explains(&self, input: &PlanInput<'_>, change: &Change) -> bool {
        let (before, after) = match (&change.before, &change.after) {
            (Some(Entity::User(before)), Some(Entity::User(after))) if !change.action.takes_access() => {
                (before, after)
            }
            // Of a removal, the entry says that nothing is left.
            _ => return change.action.takes_access(),
        };
        let role_ended = |role: &RoleName| self.roles.contains(role);
        let lost: Vec<&RoleName> = before.roles.difference(&after.roles).collect();
        let gained = after.roles.difference(&before.roles).next().is_some();
        // Where a user has one role, what groups give takes the place of the role that has ended.
        let replaces = self.entry && !lost.is_empty() && !input.rules.has(Quirk::SeveralRoles);
        let teams_fit = match (&before.teams, &after.teams) {
            // The role that has ended put them into every team.
            _ if !lost.is_empty() && input.is_in_every_team(&before.roles) => true,
            (Some(before), Some(after)) => {
                let mut lost = before.iter().filter(|(team, _)| !after.contains_key(*team));
                let is_same = after.iter().all(|(team, role)| before.get(team) == Some(role));
                // Somebody may have got another role in the team by hand. An invitation gives the default role.
                let by_default = input.live.assignable.as_ref().and_then(|roles| roles.default_in_teams());
                let has_ended = |team: &TeamName, role: Option<&RoleName>| {
                    let is_default = role.is_some_and(|role| by_default.is_some_and(|known| known.name == *role));
                    let mut ended = self.teams.iter().filter(|(ended, _)| *ended == team);
                    ended.any(|(_, given)| given.is_none() || *given == role || is_default)
                };
                is_same && lost.all(|(team, role)| has_ended(team, role.as_ref()))
            }
            (before, after) => before == after,
        };
        // An update has to write whether the user can sign in, and the file said the same before.
        let is_unreadable = before.enabled == Seen::Unreadable;
        // Where an entry ended and what groups give took its place, the resources are those of the groups.
        let others = |user: &User| User {
            resources: user.resources.clone().filter(|_| !replaces),
            enabled: if is_unreadable { Seen::Unreadable } else { user.enabled },
            roles: BTreeSet::new(),
            teams: None,
            ..user.clone()
        };
        lost.into_iter().all(role_ended)
            && (!gained || replaces)
            && teams_fit
            && others(before) == others(after)
            && (before.roles != after.roles || before.teams != after.teams)
    }
}
