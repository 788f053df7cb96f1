//! Plans users: who is invited, updated or removed.
//!
//! [`People`] finds what is known about the users whom an entry means: their [`Situation`]. [`decide`] turns it into
//! decisions, and the gate makes them a part of the plan. For example, an entry names jane@acme.example, who is no member
//! and has an expired invitation. Her situation is [`Found::Nobody`] with one expired invitation, and the decision is to
//! hold the entry, or to invite her again if the file says `reinvite_expired: true`.

mod account;
mod decide;
mod invitation_content;
mod invitations;

pub(super) use account::possibly_disabled;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::PlanInput;
use super::collection::{self, PlannedState};
use super::decision::Decision;
use super::gate::{Accepted, Gate};
use rolecall_model::{
    Address, Code, DesiredUser, Email, Finding, Index, Invitation, Kind, LiveInvitation, LiveUser, Place,
    RemoteId, Scope, SentDisable, UnreadableRow, nearest_email,
};

/// Checks that the user named in `own` exists.
pub(super) fn check_own(input: &PlanInput<'_>) -> Option<Finding> {
    let own = input.desired.own_user.as_ref()?;
    let list = &input.live.users;
    let is_listed = list.items.iter().any(|user| user.email == own.value);
    if is_listed || list.completeness.is_incomplete() || input.live.is_unreadable(&Address::user(&own.value)) {
        return None;
    }
    let near = nearest_email(own.value.as_str(), list.items.iter().map(|user| user.email.as_str()));
    let near = near.map(|near| format!("Did you mean `{near}`? ")).unwrap_or_default();
    let message = format!("`own.user` is {}, but there is no user with that address.", own.value);
    Some(Finding::error(Code::WrongOwnUser, own.place.clone(), message).hint(format!(
        "{near}Name the user whose credential rolecall uses. rolecall protects that user's access."
    )))
}

/// Plans all users. `unknown_roles` are the errors in the roles of entries, by the places of the entries.
pub(super) fn plan_users(
    input: &PlanInput<'_>,
    planned: &PlannedState,
    unknown_roles: &BTreeMap<Place, Vec<Finding>>,
    gate: &mut Gate<'_>,
) {
    let people = People::new(input);
    let scope = input.desired.manage.users;
    let by_address = input.desired.users.iter().filter(|desired| desired.id.is_none());
    let listed = Index::new(by_address, |desired| &desired.email);
    let mut erroneous = BTreeSet::new();
    for desired in &input.desired.users {
        let now = people.situation(input, desired);
        if is_unreadable(input, desired, now.namesakes) {
            continue;
        }
        let decisions = match unknown_roles.get(&desired.place) {
            Some(unknown) => unknown.iter().cloned().map(Decision::Finding).collect(),
            None => decide::decide(input, desired, &now, planned),
        };
        let address = Address::user(&desired.email).with_id(&desired.id);
        if gate.accept_entry(&address, decisions) == Accepted::Erroneous {
            // Nobody with this address counts as unlisted: the entry may mean them.
            erroneous.insert(&desired.email);
        }
    }
    let is_listed = |email: &Email| listed.has(email) || erroneous.contains(email);
    for users in people.members.groups().filter(|users| !is_listed(&users[0].email)) {
        for user in people.unpinned(users) {
            let before = people.renamed.iter().find(|(_, now)| now.id == user.id).map(|(before, _)| *before);
            gate.accept(decide::unlisted(input, user, before, users.len() > 1, planned));
        }
    }
    gate.accept(collection::unseen(scope, Kind::User, input.live.users.completeness.hold_if_incomplete("users")));
    gate.accept(invitations::unlisted(input, &people, planned));
    if scope == Scope::All {
        gate.accept(invitations::unreadable(input, &people));
    }
}

/// Returns whether a row about this user can't be read, so that nothing is planned for them. Accounts that can be
/// read are removed all the same.
fn is_unreadable(input: &PlanInput<'_>, desired: &DesiredUser, namesakes: &[&LiveUser]) -> bool {
    match (&desired.id, namesakes) {
        (Some(id), _) => input.live.is_unreadable_id(Kind::User, id),
        (None, []) => input.live.is_unreadable(&Address::user(&desired.email)),
        (None, _) => {
            let is_account = |row: &&UnreadableRow| row.address.kind == Kind::User;
            let mut accounts = input.live.unreadable.iter().filter(is_account);
            !desired.absent && accounts.any(|row| Address::user(&desired.email).covers(&row.address))
        }
    }
}

/// The people of an organisation, by what an entry of a file can name.
struct People<'a> {
    members: Index<'a, LiveUser, Email>,
    /// Accounts of users who aren't members.
    non_members: BTreeMap<&'a Email, &'a LiveUser>,
    invitations: BTreeMap<&'a Email, UserInvitations<'a>>,
    /// The ids that entries of the file name.
    pinned: BTreeSet<&'a RemoteId>,
    /// The accounts whose address has changed, by the address under which the file lists them. The ledger knows the
    /// account of each by its id.
    renamed: BTreeMap<&'a Email, &'a LiveUser>,
    /// When a read first showed those as members who aren't members any more, by the ledger.
    since: BTreeMap<&'a Email, Timestamp>,
}

/// The invitations for one email address.
#[derive(Clone, Default)]
struct UserInvitations<'a> {
    /// Invitations that can still be accepted.
    open: Vec<&'a LiveInvitation>,
    /// Invitations that have expired, if the platform lists them.
    expired: Vec<&'a LiveInvitation>,
}

/// Everything that is known about the users whom one entry of the file means, before a decision is taken.
struct Situation<'a> {
    found: Found<'a>,
    /// All members with the address of the entry.
    namesakes: &'a [&'a LiveUser],
    invitations: UserInvitations<'a>,
    /// The account of a user who isn't a member, if the platform shows one.
    non_member: Option<&'a LiveUser>,
    /// The invitation that rolecall sent, by the ledger.
    sent: Option<&'a Invitation>,
    /// When a read first showed the user as a member, by the ledger.
    member_since: Option<Timestamp>,
    /// The request by which rolecall disabled a user who isn't listed since, by the ledger.
    disabled_by_us: Option<&'a SentDisable>,
}

/// The members whom an entry of the file means.
enum Found<'a> {
    Member(&'a LiveUser),
    /// The entry has no id, and either several members have its address, or the only one is listed by id in another
    /// entry. These are the ones that no entry lists by id.
    Several(Vec<&'a LiveUser>),
    Nobody,
    /// The account that the ledger knows by this address has another one now.
    Renamed(&'a LiveUser),
    /// No member with the address has the id of the entry. A member with another address may have it.
    UnknownId(&'a RemoteId, Option<&'a LiveUser>),
}

impl UserInvitations<'_> {
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.expired.is_empty()
    }
}

impl<'a> People<'a> {
    fn new(input: &PlanInput<'a>) -> Self {
        let members = Index::new(&input.live.users.items, |user| &user.email);
        let mut non_members = BTreeMap::new();
        for user in &input.live.non_members {
            non_members.entry(&user.email).or_insert(user);
        }
        let mut invitations: BTreeMap<&Email, UserInvitations<'_>> = BTreeMap::new();
        for invitation in input.live.invitations() {
            let of_user = invitations.entry(&invitation.email).or_default();
            if invitation.expired { &mut of_user.expired } else { &mut of_user.open }.push(invitation);
        }
        let pinned = input.desired.users.iter().filter_map(|desired| desired.id.as_ref()).collect();
        let wanted = input.desired.users.iter().filter(|desired| desired.id.is_none());
        let missing: BTreeSet<&Email> =
            wanted.map(|desired| &desired.email).filter(|email| !members.has(email)).collect();
        let renamed = input.live.users.items.iter().filter_map(|user| {
            let before = &input.facts.members.get(&user.id)?.email;
            missing.get(before).map(|email| (*email, user))
        });
        let (renamed, since) = (renamed.collect(), input.facts.members_since(&missing));
        Self { members, non_members, invitations, pinned, renamed, since }
    }

    /// Returns the users that no entry lists by id.
    fn unpinned<'u>(&'u self, users: &'u [&'a LiveUser]) -> impl Iterator<Item = &'a LiveUser> + 'u {
        users.iter().copied().filter(|user| !self.pinned.contains(&user.id))
    }

    fn situation(&'a self, input: &PlanInput<'a>, desired: &'a DesiredUser) -> Situation<'a> {
        let namesakes = self.members.all(&desired.email);
        let asserted = || input.is_asserted(&Address::user(&desired.email));
        let renamed = || self.renamed.get(&desired.email).filter(|_| !asserted());
        let found = match (&desired.id, namesakes) {
            (Some(id), _) => match namesakes.iter().find(|user| user.id == *id) {
                Some(user) => Found::Member(user),
                None => Found::UnknownId(id, input.live.user(id)),
            },
            (None, []) => renamed().map_or(Found::Nobody, |user| Found::Renamed(user)),
            (None, [user]) if !self.pinned.contains(&user.id) => Found::Member(user),
            (None, several) => Found::Several(self.unpinned(several).collect()),
        };
        // Only these ask the ledger for disabled users, of whom there may be many.
        let is_missing = matches!(found, Found::Nobody);
        Situation {
            found,
            namesakes,
            invitations: self.invitations.get(&desired.email).cloned().unwrap_or_default(),
            non_member: self.non_members.get(&desired.email).copied(),
            sent: input.facts.invitations.get(&desired.email),
            member_since: self.since.get(&desired.email).copied().filter(|_| is_missing),
            disabled_by_us: is_missing.then(|| account::disabled_and_unlisted(input, &desired.email)).flatten(),
        }
    }
}

impl Situation<'_> {
    /// Returns whether a member's address needs the id to be unambiguous.
    fn has_namesakes(&self) -> bool {
        self.namesakes.len() > 1
    }
}

/// Returns the address of a user, with the id if several users have the same email address.
fn address_of(user: &LiveUser, namesakes: bool) -> Address {
    let address = Address::user(&user.email);
    if namesakes { address.with_id(&user.id) } else { address }
}
