//! Finds what the file names and nothing live matches where something should: probably a misspelled name. Such an
//! entry would otherwise do nothing, and a user who must be removed would keep all access.
//!
//! What the ledger knows is no misspelling: an entry for a user whom rolecall has removed, or once read as a member,
//! is silent. So is a name that an incomplete list may leave out, because a hold says that already.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::ops::Deref;

use jiff::tz::TimeZone;

use super::{PlanInput, ended};
use rolecall_model::{
    Address, Code, DesiredUser, Email, Exception, Finding, Kind, Place, Quirk, Tolerated, nearest_email,
};

/// The number of warnings of one kind that name an address which is near. A report lists no more of them.
const SUGGESTED: usize = 20;

/// Returns a warning for each name in the file that nothing has, and for each exception and each tolerated entry that
/// has ended.
pub(super) fn unmatched(input: &PlanInput<'_>) -> Vec<Finding> {
    let known = LazyCell::new(|| live(input));
    let mut findings = absent(input, &known);
    findings.extend(protected(input, &known));
    findings.extend(ended_exceptions(input));
    findings.extend(tolerated(input, &known));
    findings
}

/// The addresses of everything that was read. They are collected only if the file asks for any.
type AllLive<'a> = &'a dyn Deref<Target = BTreeSet<Address>>;

/// Returns the addresses of everything that was read, each with its id.
fn live(input: &PlanInput<'_>) -> BTreeSet<Address> {
    let live = input.live;
    let people = live.users.items.iter().chain(&live.non_members);
    let users = people.map(|user| Address::user(&user.email).with_id(&user.id));
    let invited = live.invitations().iter().map(|invitation| Address::user(&invitation.email));
    let keys = live.keys().iter().map(|key| Address::key(&key.name).with_id(&key.id));
    let roles = live.roles().iter();
    let roles = roles.flat_map(|role| std::iter::once(&role.name).chain(&role.renamed_from)).map(Address::role);
    let teams = live.teams().iter();
    let teams = teams.flat_map(|team| [&team.name, &team.raw_name].into_iter().chain(&team.renamed_from));
    let teams = teams.map(Address::team);
    let organization = live.organization_entity.iter().map(|_| Address::organization());
    let unreadable = live.unreadable.iter().map(|row| row.address.clone());
    users.chain(unreadable).chain(invited).chain(keys).chain(roles).chain(teams).chain(organization).collect()
}

/// Returns the warning that no entity has this address, with the nearest one of the same kind.
fn warning(
    address: &str,
    kind: Kind,
    (known, index): (&BTreeSet<Address>, usize),
    place: &Place,
    why: String,
    hint: &str,
) -> Finding {
    let same_kind = known.iter().filter(|known| known.kind == kind && index < SUGGESTED);
    let typed = address.split_once('/').map_or(address, |(_, name)| name);
    let near = nearest_email(typed, same_kind.map(|known| &*known.name));
    let near = near.map(|name| Address { kind, name: name.into(), id: None });
    let near = near.map(|near| format!("Did you mean `{near}`? ")).unwrap_or_default();
    Finding::warning(Code::UnmatchedAddress, place.clone(), why).hint(format!("{near}{hint}"))
}

/// Warns about entries that must be removed or disabled and that nothing live matches.
fn absent(input: &PlanInput<'_>, known: AllLive<'_>) -> Vec<Finding> {
    let desired = input.desired;
    if desired.organization_entity.is_some() && input.live.organization_entity.is_none() {
        // There is no organisation yet.
        return Vec::new();
    }
    let must_go = |user: &&DesiredUser| (user.absent || user.enabled == Some(false)) && user.id.is_none();
    // At such a platform, an entry with `status: deactivated` has a warning of its own.
    let has_own = |user: &&DesiredUser| user.enabled == Some(false) && input.rules.has(Quirk::SharedAccounts);
    let users = desired.users.iter().filter(must_go).filter(|user| !has_own(user));
    let members = input.facts.members.values().map(|known| &known.email);
    let recorded: BTreeSet<&Email> =
        members.chain(input.facts.disables.values().map(|sent| &sent.email)).collect();
    let users = users.filter(|user| !recorded.contains(&user.email));
    let users = users.map(|user| (Address::user(&user.email), &user.place));
    let roles = desired.roles.iter().filter(|role| role.absent);
    let roles = roles.map(|role| (Address::role(&role.name), &role.place));
    let teams = desired.teams.iter().filter(|team| team.absent);
    let teams = teams.map(|team| (Address::team(&team.name), &team.place));
    let keys = desired.keys.iter().filter(|key| key.absent && key.id.is_none());
    let keys = keys.map(|key| (Address::key(&key.name), &key.place));
    let mut listed = users.chain(roles).chain(teams).chain(keys).peekable();
    if listed.peek().is_none() {
        return Vec::new();
    }
    let names: BTreeSet<(Kind, &str)> = known.iter().map(|known| (known.kind, &*known.name)).collect();
    let ended = ended::ended_names(input);
    let is_live = |address: &Address| names.contains(&(address.kind, &*address.name));
    listed
        .filter(|(address, _)| input.live.is_complete(address.kind))
        .filter(|(address, _)| !is_live(address) && !input.live.is_unreadable(address))
        .filter(|(address, _)| !input.facts.removed.contains(address))
        // Access that has ended is gone, as it should be.
        .filter(|(address, _)| !ended.contains(&*address.name))
        .enumerate()
        .map(|(index, (address, place))| {
            let why = format!("Nothing live has the address `{address}`, so nothing is removed.");
            let hint = "Check the spelling. Remove the entry if it has done its work.";
            warning(&address.to_string(), address.kind, (known, index), place, why, hint)
        })
        .collect()
}

/// Warns about protected and acknowledged addresses that no entity has.
fn protected(input: &PlanInput<'_>, known: AllLive<'_>) -> Vec<Finding> {
    let desired = input.desired;
    if desired.guardrails.protected.is_empty() && desired.acknowledged.is_empty() {
        return Vec::new();
    }
    let known: &BTreeSet<Address> = known;
    let planned_roles = desired.roles.iter().map(|role| &role.name).chain(desired.containment_role.as_deref());
    let mut with_planned = known.clone();
    with_planned.extend(planned_roles.map(Address::role));
    with_planned.extend(desired.teams.iter().map(|team| Address::team(&team.name)));
    with_planned.extend(desired.users.iter().map(|user| Address::user(&user.email)));
    let protected = desired.guardrails.protected.iter().map(|entry| ("protected", entry, &with_planned));
    // An entry for somebody who isn't there yet would hide privileged access that they get later.
    let acknowledged = desired.acknowledged.iter().map(|entry| ("acknowledged", entry, known));
    let is_read = |kind: Kind| input.live.is_complete(kind);
    protected
        .chain(acknowledged)
        .filter(|(_, (pattern, _), known)| {
            is_read(pattern.kind()) && !known.iter().any(|known| pattern.covers(known))
        })
        .enumerate()
        .map(|(index, (what, (pattern, place), known))| {
            let why = format!("`{pattern}` is {what}, but no entity has that address.");
            let hint = "Check the spelling. `rolecall drift` shows every address.";
            warning(&pattern.to_string(), pattern.kind(), (known, index), place, why, hint)
        })
        .collect()
}

/// Warns about tolerated roles of people whom nobody live is, and about those that are no longer tolerated.
fn tolerated(input: &PlanInput<'_>, known: AllLive<'_>) -> Vec<Finding> {
    let warn = |(index, Tolerated { place, email, until, .. }): (usize, &Tolerated)| {
        if until.is_past(input.now) {
            let message = format!("This entry of `tolerated` ended on {until}, so it tolerates nothing.");
            let finding = Finding::warning(Code::ExceptionEnded, place.clone(), message);
            return Some(finding.hint("Remove it. If it is still needed, have a later day reviewed."));
        }
        let address = Address::user(email);
        let is_live = known.iter().any(|known| address.covers(known));
        if is_live || !input.live.is_complete(Kind::User) {
            return None;
        }
        let why = format!("Roles of `{address}` are tolerated, but no entity has that address.");
        let hint =
            "Check the spelling: it is the address on this platform. Remove the entry if the person has left.";
        Some(warning(&address.to_string(), Kind::User, (known, index), place, why, hint))
    };
    input.desired.tolerated.iter().enumerate().filter_map(warn).collect()
}

/// Warns about exceptions that no longer apply.
fn ended_exceptions(input: &PlanInput<'_>) -> Vec<Finding> {
    let today = input.now.to_zoned(TimeZone::UTC).date();
    let ended = input.desired.guardrails.exceptions.iter().filter(|exception| today > exception.until);
    ended
        .map(|Exception { place, until, .. }| {
            let message = format!("This exception ended on {until}, so it overrides nothing.");
            Finding::warning(Code::ExceptionEnded, place.clone(), message)
                .hint("Remove it. If it is still needed, have a later day reviewed.")
        })
        .collect()
}
