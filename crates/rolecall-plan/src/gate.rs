//! The gate of a plan. Every [`Decision`] passes it, and it holds back the changes that must not be made: those of
//! protected entities and of rolecall's own access, and those that the platform has refused to make.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::PlanInput;
use super::collection::EntryDecision;
use super::decision::Decision;
use super::keys::is_privileged;
use rolecall_model::{
    Action, Address, Change, Code, Entity, Finding, Hold, HoldClass, HoldReason, Kind, Known, NotTaken, Pattern,
    Place, Quirk, RemoteId, Seen, User, check_name, quote,
};

/// Returns whether an entity is still as an earlier change left it. Teams count only if the new change reads them.
fn is_unchanged_since(before: &Entity, left_as: &Entity) -> bool {
    match (before, left_as) {
        (Entity::User(before), Entity::User(left_as)) if before.teams.is_none() => {
            *before == User { teams: None, ..left_as.clone() }
        }
        _ => before == left_as,
    }
}

/// The gate, with the changes and the holds that it has let through.
pub(super) struct Gate<'a> {
    input: &'a PlanInput<'a>,
    pub changes: Vec<Change>,
    pub holds: Vec<Hold>,
    pub findings: Vec<Finding>,
    /// The errors of single entries. These entries are held, and the others are planned.
    pub entry_errors: Vec<Finding>,
    pub places: BTreeMap<String, String>,
}

/// The result of accepting the decisions about one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// At least one change was added to the plan.
    Changed,
    /// Nothing is to be changed, or the change is held.
    Unchanged,
    /// The entry has an error, so that nothing of it is planned.
    Erroneous,
}

impl<'a> Gate<'a> {
    pub fn new(input: &'a PlanInput<'a>) -> Self {
        Self {
            input,
            changes: Vec::new(),
            holds: Vec::new(),
            findings: Vec::new(),
            entry_errors: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    pub fn hold(&mut self, address: Address, reason: HoldReason) {
        self.holds.push(Hold::new(address, reason));
    }

    /// Makes decisions a part of the plan.
    pub fn accept(&mut self, decisions: impl IntoIterator<Item = Decision>) {
        for decision in decisions {
            match decision {
                Decision::Change { change, place, then } => {
                    if self.change(*change, place.as_ref()) {
                        self.accept(then);
                    }
                }
                Decision::Hold(address, reason) => self.hold(address, reason),
                Decision::Unmanaged { address, privileged } => self.hold_unmanaged(address, privileged),
                Decision::Unwritten { address, place, field, live } => {
                    if !self.is_acknowledged(&address) {
                        self.places.insert(address.to_string(), place.to_string());
                        self.hold(address, HoldReason::PrivilegeNotWritten { field: field.to_owned(), live });
                    }
                }
                Decision::Finding(finding) => self.findings.push(finding),
                Decision::Error(address, finding) => self.entry_error(&address, finding),
            }
        }
    }

    /// Makes the decisions about one entry of the file a part of the plan. If the entry has an error, it is held, and
    /// nothing of it is planned. So one thing in live that rolecall can't understand doesn't keep others from losing
    /// their access.
    pub fn accept_entry(&mut self, address: &Address, decisions: Vec<Decision>) -> Accepted {
        let (changes, findings) = (self.changes.len(), self.findings.len());
        self.accept(decisions);
        let found = self.findings.split_off(findings);
        let of_entry = |finding: &Finding| finding.is_error() && !finding.code.is_contradiction();
        let (errors, others): (Vec<Finding>, Vec<Finding>) = found.into_iter().partition(of_entry);
        self.findings.extend(others);
        if errors.is_empty() {
            return if self.changes.len() > changes { Accepted::Changed } else { Accepted::Unchanged };
        }
        self.changes.truncate(changes);
        for error in errors {
            self.entry_error(address, error);
        }
        Accepted::Erroneous
    }

    /// Makes the decisions about one entity a part of the plan. Returns its state after the plan, if that is another one.
    pub fn settle<S>(&mut self, address: &Address, decision: EntryDecision<S>) -> Option<S> {
        let EntryDecision { decisions, made, otherwise } = decision;
        if self.accept_entry(address, decisions) == Accepted::Changed { made } else { otherwise }
    }

    /// Holds an entity that the file doesn't list and doesn't manage.
    fn hold_unmanaged(&mut self, address: Address, privileged: bool) {
        let known = self.is_acknowledged(&address).then_some(Known::Acknowledged).filter(|_| privileged);
        if privileged && known.is_none() {
            self.places.insert(address.to_string(), self.input.desired.place.to_string());
        }
        self.hold(address, HoldReason::Unmanaged { privileged, known });
    }

    /// Returns whether the file says that privileged access at this address is known.
    pub fn is_acknowledged(&self, address: &Address) -> bool {
        let addresses = self.input.with_earlier(address);
        let covers = |pattern: &Pattern| addresses.iter().any(|address| pattern.covers(address));
        self.input.desired.acknowledged.keys().any(covers)
    }

    /// Gives what needs attention the place of its entry, if it has no other one.
    pub fn place_holds(&mut self) {
        let users = self.input.desired.users.iter();
        let entries: BTreeMap<&str, &Place> = users.map(|user| (user.email.key(), &user.place)).collect();
        for Hold { address, class, .. } in &self.holds {
            if *class == HoldClass::Blocked
                && matches!(address.kind, Kind::User | Kind::Invitation)
                && let Some(place) = entries.get(&*address.name)
            {
                self.places.entry(address.to_string()).or_insert_with(|| place.to_string());
            }
        }
    }

    /// Holds an entry because of an error.
    fn entry_error(&mut self, address: &Address, error: Finding) {
        if self.entry_errors.contains(&error) {
            return;
        }
        self.hold(address.clone(), HoldReason::unplannable(&error));
        self.places.entry(address.to_string()).or_insert_with(|| error.place.to_string());
        self.entry_errors.push(error);
    }

    /// Adds a change to the plan, or holds it if it must not be made. Returns whether it was added.
    fn change(&mut self, change: Change, place: Option<&Place>) -> bool {
        if let Some(reason) = hold_reason(self.input, &change) {
            self.hold(change.address, reason);
            return false;
        }
        if self.input.rules.lower(&change, self.input.live).is_empty() {
            self.hold(change.address, HoldReason::NoMutation);
            return false;
        }
        if let Some(finding) = self.check_new(&change, place) {
            self.findings.push(finding);
            return false;
        }
        self.warn_of_refusal(&change, place);
        if let Some(place) = place {
            self.places.insert(change.address.to_string(), place.to_string());
        }
        self.changes.push(change);
        true
    }

    /// Returns the finding of a new entity with a name that nobody could read or type, or of an address that can't be
    /// invited. A file may contain such a name for something that exists.
    fn check_new(&self, change: &Change, place: Option<&Place>) -> Option<Finding> {
        let after = change.after.as_ref()?;
        let place = place.unwrap_or(&self.input.desired.place).clone();
        let is_renamed = change.renamed_from().is_some();
        let name = match (change.action, after) {
            (Action::Create, Entity::Role(role)) => role.name.as_str(),
            (Action::Create, Entity::Team(team)) => team.name.as_str(),
            (Action::Create, Entity::Key(key)) => key.name.as_str(),
            (Action::Update, Entity::Role(role)) if is_renamed => role.name.as_str(),
            (Action::Update, Entity::Team(team)) if is_renamed => team.name.as_str(),
            (Action::Invite, Entity::User(user)) => {
                let form = self.input.rules.wrong_address(&user.email)?;
                let message = format!("{} can't be invited: the platform refuses the address.", user.email);
                return Some(Finding::error(Code::InvalidEmail, place, message).hint(form));
            }
            _ => return None,
        };
        let why = check_name(name).err()?;
        let verb = if is_renamed { "given as a name" } else { "created" };
        let message = format!("{} can't be {verb}: the name {why}.", quote(name));
        let hint = "Write the name as the platform shows it, or choose a name of letters that show.";
        Some(Finding::error(Code::InvalidValue, place, message).hint(hint))
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
}

/// Returns the addresses that the guardrail `protected` names.
pub(super) fn protected_among(input: &PlanInput<'_>, addresses: impl Iterator<Item = Address>) -> Vec<Address> {
    let protected = &input.desired.guardrails.protected;
    if protected.is_empty() {
        return Vec::new();
    }
    let covers = |address: &Address| protected.keys().any(|pattern| pattern.covers(address));
    let named = addresses.filter(|address| input.with_earlier(address).iter().any(covers));
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns why a change must be held, or `None` if it can be made.
pub(super) fn hold_reason(input: &PlanInput<'_>, change: &Change) -> Option<HoldReason> {
    if !protected_among(input, std::iter::once(change.address.clone())).is_empty() {
        return Some(HoldReason::Protected { change: Some(Box::new(change.clone())) });
    }
    if let Some(reason) = own_access_hold(input, change) {
        return Some(reason);
    }
    if input.is_asserted(&change.address) {
        return None;
    }
    if let Some(reason) = nameless_hold(input, change).or_else(|| read_only_hold(input, change)) {
        return Some(reason);
    }
    let same = |then: &Change| then.before == change.before && then.after == change.after;
    if let Some(held) = input.facts.held.get(&change.address).filter(|held| same(&held.change)) {
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
            Some(left_as) if !input.rules.has(Quirk::Approvals) => {
                change.before.as_ref().is_some_and(|before| is_unchanged_since(before, left_as))
            }
            _ => change.before == then.before,
        };
        then.after == change.after && unchanged
    };
    let since = input.facts.not_taken.get(&change.address).filter(same_attempt)?.at;
    Some(not_taken(input, since, Some(change)))
}

/// Returns why something new must not be created: a row without a name may be about it.
///
/// For example, the platform no longer shows the address of Jane, whom the file lists. Then she isn't invited, although no
/// row has her address. If the file says that the row is known, it is somebody else.
fn nameless_hold(input: &PlanInput<'_>, change: &Change) -> Option<HoldReason> {
    let (live, address) = (input.live, &change.address);
    let (list, name) = match (change.action, &change.after) {
        // Whoever had an invitation that we cancelled in order to correct it is no member.
        (Action::Invite, Some(Entity::User(user)))
            if change.before.is_none() && !input.facts.cancelled_to_correct.contains_key(&user.email) =>
        {
            ("users", "address")
        }
        (Action::Create, Some(Entity::Key(key))) if live.keys().iter().all(|it| it.name != key.name) => {
            ("keys", "name")
        }
        (Action::Create, Some(Entity::Role(_))) => ("roles", "name"),
        (Action::Create, Some(Entity::Team(_))) => ("teams", "name"),
        _ => return None,
    };
    let is_person = |kind| matches!(kind, Kind::User | Kind::Invitation);
    let is_alike = |kind: Kind| kind == address.kind || is_person(kind) && is_person(address.kind);
    let is_known = |row: &Address| input.desired.acknowledged.keys().any(|pattern| pattern.covers(row));
    let rows = live.unreadable.iter().map(|row| &row.address);
    let row = rows.into_iter().find(|row| row.name.is_empty() && is_alike(row.kind) && !is_known(row))?;
    let why = format!(
        "{row} has no {name} that can be read, so it may be this one. If it is another one, write `acknowledged: [\"{row}\"]`"
    );
    Some(HoldReason::Unreadable { list: list.to_owned(), why })
}

/// Returns why an entity must not be updated, if it or all of its kind are read-only. A key that replaces such a key isn't
/// created either.
fn read_only_hold(input: &PlanInput<'_>, change: &Change) -> Option<HoldReason> {
    let is_update = matches!(change.action, Action::Update | Action::Enable);
    let id = match &change.before {
        Some(Entity::User(before)) if is_update => before.id.as_ref(),
        Some(Entity::Key(before)) if is_update => before.id.as_ref(),
        Some(Entity::Role(before)) if is_update => before.id.as_ref(),
        _ => None,
    };
    let replaced = |id: &RemoteId| {
        let name = change.after.as_ref().and_then(Entity::key).filter(|_| change.action == Action::Create);
        input
            .live
            .keys()
            .iter()
            .any(|key| Some(&key.name) == name.map(|key| &key.name) && key.id == *id && key.enabled)
    };
    let mut rows = input.live.read_only.iter().filter(|row| row.kind == change.address.kind);
    let row = rows.find(|row| match &row.id {
        Some(read_only) => id == Some(read_only) || replaced(read_only),
        None => is_update,
    })?;
    Some(HoldReason::platform(row.code, row.why.clone()))
}

/// Returns the hold reason for a change that was answered without an error and isn't in effect.
pub(super) fn not_taken(input: &PlanInput<'_>, since: Timestamp, change: Option<&Change>) -> HoldReason {
    if input.rules.has(Quirk::Approvals) {
        HoldReason::AwaitingApproval { since }
    } else {
        HoldReason::NotTaken { since, why: change.and_then(|change| input.rules.why_not_taken(change)) }
    }
}

/// Returns why a change must be held to protect rolecall's own access. Its own user never loses access, and
/// its own key is never disabled or deleted. If its own key is unknown, that holds for every privileged key.
fn own_access_hold(input: &PlanInput<'_>, change: &Change) -> Option<HoldReason> {
    if !input.desired.guardrails.require_self {
        return None;
    }
    if let Some(user) = change.before.as_ref().and_then(Entity::user) {
        return reduces_own_access(input, change, user).then_some(HoldReason::OwnUser);
    }
    if let (Action::Create, Some(Entity::Key(before)), Some(Entity::Key(after))) =
        (change.action, &change.before, &change.after)
    {
        let is_own = input.own_key().is_some_and(|own| before.id.as_ref() == Some(own));
        let loses = is_privileged(input, before) && !is_privileged(input, after);
        return (is_own && loses).then_some(HoldReason::OwnAccess);
    }
    let (Action::Disable | Action::Delete, Some(key)) = (change.action, change.entity()?.key()) else {
        return None;
    };
    match input.own_key() {
        Some(_) => key.id.as_ref().is_some_and(|id| input.is_own_key(id)).then_some(HoldReason::OwnAccess),
        None => is_privileged(input, key).then_some(HoldReason::MaybeOwnAccess),
    }
}

/// Returns whether a change takes roles, teams or the account from the user that rolecall signs in with.
fn reduces_own_access(input: &PlanInput<'_>, change: &Change, before: &User) -> bool {
    let own = input.is_own_user(&before.email, before.id.as_ref());
    let after = change.after.as_ref().and_then(Entity::user);
    let keeps = |after: &User| {
        let teams = match (&before.teams, &after.teams) {
            (Some(before), Some(after)) => before.keys().all(|team| after.contains_key(team)),
            (None, _) | (_, None) => true,
        };
        let stays = !after.outside && after.enabled != Seen::Known(false);
        stays && teams && input.covers(&after.roles, &before.roles)
    };
    own && !before.invited && !after.is_some_and(keeps)
}
