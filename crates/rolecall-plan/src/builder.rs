//! Collects the changes and holds of a plan. Every change passes [`PlanBuilder::change`], which holds back those
//! that must not be made: protected entities, rolecall's own access, and changes that the platform has refused to
//! make.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::PlanInput;
use super::keys::is_privileged;
use super::teams::PlannedTeams;
use rolecall_model::{
    Action, Address, Cause, Change, Code, Effect, Entity, Finding, Hold, HoldReason, Known, NotTaken, Place,
    Quirk, Seen, TeamName, User, check_name, quote,
};

/// Returns the change that deletes an entity, with a note of what the platform deletes along with it.
pub(super) fn deletion(input: &PlanInput<'_>, address: Address, entity: Entity, cause: Cause) -> Change {
    let mut effects = vec![Effect::Irreversible];
    effects.extend(input.rules.cascades_to(&entity).map(|what| Effect::CascadesTo { what: what.to_owned() }));
    Change { address, action: Action::Delete, before: Some(entity), after: None, cause, effects }
}

/// Lists the teams and apps of the organisation, or the apps of one team. The list is part of the deletion's
/// change: a reviewer sees it, and an approved deletion is out of date once something has been added.
pub(super) fn contents(input: &PlanInput<'_>, of: Option<&TeamName>) -> Option<Effect> {
    let owner = of.map(|team| Address::team(team).to_string());
    let apps = input.live.apps.iter().filter(|app| owner.as_ref().is_none_or(|owner| app.owner == *owner));
    let apps = apps.map(|app| format!("app {} of {}", app.name, app.owner));
    let teams = input.live.teams().iter().filter(|_| of.is_none());
    let teams = teams.map(|team| Address::team(&team.name).to_string());
    let what: BTreeSet<String> = teams.chain(apps).collect();
    (!what.is_empty()).then_some(Effect::Contains { what })
}

/// Returns whether an entity is still as an earlier change left it. Teams count only if the new change reads them.
fn is_unchanged_since(before: &Entity, left_as: &Entity) -> bool {
    match (before, left_as) {
        (Entity::User(before), Entity::User(left_as)) if before.teams.is_none() => {
            *before == User { teams: None, ..left_as.clone() }
        }
        _ => before == left_as,
    }
}

/// A plan that is still being built.
pub(super) struct PlanBuilder<'a> {
    input: &'a PlanInput<'a>,
    pub changes: Vec<Change>,
    pub holds: Vec<Hold>,
    pub findings: Vec<Finding>,
    /// The errors of single entries. These entries are held, and the others are planned.
    pub entry_errors: Vec<Finding>,
    /// The errors in the roles of users, found when their names were resolved.
    pub unknown_roles: BTreeMap<Place, Vec<Finding>>,
    pub places: BTreeMap<String, String>,
    pub teams: PlannedTeams,
}

impl<'a> PlanBuilder<'a> {
    pub fn new(input: &'a PlanInput<'a>) -> Self {
        Self {
            input,
            changes: Vec::new(),
            holds: Vec::new(),
            findings: Vec::new(),
            entry_errors: Vec::new(),
            unknown_roles: BTreeMap::new(),
            places: BTreeMap::new(),
            teams: PlannedTeams::default(),
        }
    }

    pub fn hold(&mut self, address: Address, reason: HoldReason) {
        self.holds.push(Hold::new(address, reason));
    }

    /// Holds an entity that the file doesn't list and doesn't manage.
    pub fn hold_unmanaged(&mut self, address: Address, privileged: bool) {
        let known = self.is_acknowledged(&address).then_some(Known::Acknowledged).filter(|_| privileged);
        if privileged && known.is_none() {
            self.places.insert(address.to_string(), self.input.desired.place.to_string());
        }
        self.hold(address, HoldReason::Unmanaged { privileged, known });
    }

    /// Holds a listed entity whose privileged access is in a field that the file doesn't write, unless the file
    /// acknowledges it.
    pub fn hold_unwritten<T: fmt::Display>(
        &mut self,
        address: Address,
        place: &Place,
        field: &str,
        live: &BTreeSet<T>,
    ) {
        if !self.is_acknowledged(&address) {
            let live: Vec<String> = live.iter().map(ToString::to_string).collect();
            self.places.insert(address.to_string(), place.to_string());
            let reason = HoldReason::PrivilegeNotWritten { field: field.to_owned(), live: live.join(", ") };
            self.hold(address, reason);
        }
    }

    fn is_acknowledged(&self, address: &Address) -> bool {
        self.input.desired.acknowledged.keys().any(|pattern| pattern.covers(address))
    }

    /// Plans one entry of the file. If the entry has an error, it is held, and nothing of it is planned. So one thing
    /// in live that rolecall can't understand doesn't keep others from losing their access. Returns whether the entry
    /// was planned.
    pub fn entry(&mut self, address: &Address, plan: impl FnOnce(&mut Self)) -> bool {
        let (changes, findings) = (self.changes.len(), self.findings.len());
        plan(self);
        let found = self.findings.split_off(findings);
        let of_entry = |finding: &Finding| finding.is_error() && !finding.code.is_contradiction();
        let (errors, others): (Vec<Finding>, Vec<Finding>) = found.into_iter().partition(of_entry);
        self.findings.extend(others);
        if !errors.is_empty() {
            self.changes.truncate(changes);
        }
        let is_planned = errors.is_empty();
        for error in errors {
            self.entry_error(address, error);
        }
        is_planned
    }

    /// Holds an entry because of an error.
    pub fn entry_error(&mut self, address: &Address, error: Finding) {
        if self.entry_errors.contains(&error) {
            return;
        }
        self.hold(address.clone(), HoldReason::unplannable(&error));
        self.places.entry(address.to_string()).or_insert_with(|| error.place.to_string());
        self.entry_errors.push(error);
    }

    /// Adds a change to the plan, or holds it if it must not be made. Returns whether it was added.
    pub fn change(&mut self, change: Change, place: Option<&Place>) -> bool {
        if let Some(reason) = self.hold_reason(&change) {
            self.hold(change.address, reason);
            return false;
        }
        if self.input.rules.lower(&change, self.input.live).is_empty() {
            self.hold(change.address, HoldReason::NoMutation);
            return false;
        }
        self.check_new(&change, place);
        self.warn_of_refusal(&change, place);
        if let Some(place) = place {
            self.places.insert(change.address.to_string(), place.to_string());
        }
        self.changes.push(change);
        true
    }

    /// Reports the name of a new entity that nobody could read or type, and an address that can't be invited. A file
    /// may contain such a name for something that exists.
    fn check_new(&mut self, change: &Change, place: Option<&Place>) {
        let Some(after) = &change.after else { return };
        let name = match (change.action, after) {
            (Action::Create, Entity::Role(role)) => role.name.as_str(),
            (Action::Create, Entity::Team(team)) => team.name.as_str(),
            (Action::Create, Entity::Key(key)) => key.name.as_str(),
            (Action::Invite, Entity::User(user)) => {
                if let Some(form) = self.input.rules.wrong_address(&user.email) {
                    let place = place.unwrap_or(&self.input.desired.place).clone();
                    let message = format!("{} can't be invited: the platform refuses the address.", user.email);
                    self.findings.push(Finding::error(Code::InvalidEmail, place, message).hint(form));
                }
                return;
            }
            _ => return,
        };
        if let Err(why) = check_name(name) {
            let place = place.unwrap_or(&self.input.desired.place).clone();
            let message = format!("{} can't be created: the name {why}.", quote(name));
            self.findings.push(
                Finding::error(Code::InvalidValue, place, message)
                    .hint("Write the name as the platform shows it, or choose a name of letters that show."),
            );
        }
    }

    /// Warns if the platform refused the same change in an earlier run. The change is planned again all the same.
    fn warn_of_refusal(&mut self, change: &Change, place: Option<&Place>) {
        let Change { address, action, after, .. } = change;
        let place = place.unwrap_or(&self.input.desired.place);
        if let Some((since, refused)) = self.input.facts.refused.get(address)
            && (refused.action, &refused.after) == (*action, after)
        {
            let day = since.strftime("%Y-%m-%d");
            let message = format!("The platform refused to {action} {address} on {day}.");
            self.findings.push(
                Finding::warning(Code::RefusedBefore, place.clone(), message)
                    .hint("Every apply sends it again. `rolecall show LEDGER` shows the platform's answer."),
            );
        }
    }

    pub fn is_asserted(&self, address: &Address) -> bool {
        self.input.is_asserted(address)
    }

    /// Returns the addresses that the guardrail `protected` names.
    pub fn protected_among(&self, addresses: impl Iterator<Item = Address>) -> Vec<Address> {
        let protected = &self.input.desired.guardrails.protected;
        let named = addresses.filter(|address| protected.keys().any(|pattern| pattern.covers(address)));
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns why a change must be held, or `None` if it can be made.
    pub fn hold_reason(&self, change: &Change) -> Option<HoldReason> {
        if !self.protected_among(std::iter::once(change.address.clone())).is_empty() {
            return Some(HoldReason::Protected { change: Some(Box::new(change.clone())) });
        }
        if let Some(reason) = self.own_access_hold(change) {
            return Some(reason);
        }
        if self.is_asserted(&change.address) {
            return None;
        }
        let same = |then: &Change| then.before == change.before && then.after == change.after;
        if let Some(held) = self.input.facts.held.get(&change.address).filter(|held| same(&held.change)) {
            return Some(held.reason.clone());
        }
        if change.action == Action::RemoveAccess {
            // Access is taken away even if an earlier attempt had no effect.
            return None;
        }
        // The platform may have stored a part of the earlier change. Compare with how that change left the entity.
        let same_attempt = |earlier: &&NotTaken| {
            let then = &earlier.change;
            let unchanged = match &earlier.left_as {
                Some(left_as) if !self.input.rules.has(Quirk::Approvals) => {
                    change.before.as_ref().is_some_and(|before| is_unchanged_since(before, left_as))
                }
                _ => change.before == then.before,
            };
            then.address == change.address && then.after == change.after && unchanged
        };
        let since = self.input.facts.not_taken.iter().find(same_attempt)?.at;
        Some(self.not_taken(since, Some(change)))
    }

    /// Returns the hold reason for a change that was answered without an error and isn't in effect.
    pub fn not_taken(&self, since: Timestamp, change: Option<&Change>) -> HoldReason {
        if self.input.rules.has(Quirk::Approvals) {
            HoldReason::AwaitingApproval { since }
        } else {
            HoldReason::NotTaken { since, why: change.and_then(|change| self.input.rules.why_not_taken(change)) }
        }
    }

    /// Returns why a change must be held to protect rolecall's own access. Its own user never loses access, and
    /// its own key is never disabled or deleted. If its own key is unknown, that holds for every privileged key.
    fn own_access_hold(&self, change: &Change) -> Option<HoldReason> {
        if !self.input.desired.guardrails.require_self {
            return None;
        }
        if let Some(user) = change.before.as_ref().and_then(Entity::user) {
            return self.reduces_own_access(change, user).then_some(HoldReason::OwnUser);
        }
        let (Action::Disable | Action::Delete, Some(key)) = (change.action, change.entity()?.key()) else {
            return None;
        };
        match self.input.own_key() {
            Some(own) => (key.id.as_ref() == Some(own)).then_some(HoldReason::OwnAccess),
            None => is_privileged(self.input, key).then_some(HoldReason::MaybeOwnAccess),
        }
    }

    /// Returns whether a change takes roles, teams or the account from the user that rolecall signs in with.
    fn reduces_own_access(&self, change: &Change, before: &User) -> bool {
        let own = self.input.is_own_user(&before.email, before.id.as_ref());
        let after = change.after.as_ref().and_then(Entity::user);
        let keeps = |after: &User| {
            let teams = match (&before.teams, &after.teams) {
                (Some(before), Some(after)) => before.keys().all(|team| after.contains_key(team)),
                (None, _) | (_, None) => true,
            };
            let stays = !after.outside && after.enabled != Seen::Known(false);
            stays && teams && self.input.covers(&after.roles, &before.roles)
        };
        own && !before.invited && !after.is_some_and(keeps)
    }
}
