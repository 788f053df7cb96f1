//! Plans users: who is invited, updated or removed.

mod account_status;
mod disabled;
mod invitation_roles;
mod invited;
mod missing;
mod non_members;
mod present;
mod unlisted;
mod why_not_invited;

pub(super) use disabled::possibly_disabled;

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::builder::PlanBuilder;
use super::roles::{Availability, PlannedRoles};
use rolecall_model::{
    Address, Code, DesiredUser, Email, Finding, HoldReason, Kind, LiveInvitation, LiveUser, Quirk, RemoteId,
    RoleName, Scope, Severity, UnreadableRow, list_of, nearest, quote,
};

/// Checks that the user named in `own` exists.
pub(super) fn check_own(input: &PlanInput<'_>, builder: &mut PlanBuilder<'_>) {
    let Some(own) = &input.desired.own_user else { return };
    let list = &input.live.users;
    if input.live.is_unreadable(&Address::user(&own.value)) {
        return;
    }
    if !list.completeness.is_incomplete() && !list.items.iter().any(|user| user.email == own.value) {
        let near = nearest(own.value.as_str(), list.items.iter().map(|user| user.email.as_str()));
        let near = near.map(|near| format!("Did you mean `{near}`? ")).unwrap_or_default();
        let message = format!("`own.user` is {}, but there is no user with that address.", own.value);
        builder.findings.push(Finding::error(Code::WrongOwnUser, own.place.clone(), message).hint(format!(
            "{near}Name the user whose credential rolecall uses. rolecall protects that user's access."
        )));
    }
}

/// Plans all users. `planned_roles` are the roles that can be given.
pub(super) fn plan_users(input: &PlanInput<'_>, planned_roles: &mut PlannedRoles, builder: &mut PlanBuilder<'_>) {
    let mut live: BTreeMap<&Email, Vec<&LiveUser>> = BTreeMap::new();
    for user in &input.live.users.items {
        live.entry(&user.email).or_default().push(user);
    }
    let invitations = Invitations::from_live(input);
    let pinned: BTreeSet<&RemoteId> =
        input.desired.users.iter().filter_map(|desired| desired.id.as_ref()).collect();
    let renamed = renamed(input, &live);
    let mut listed: BTreeSet<&Email> =
        input.desired.users.iter().filter(|desired| desired.id.is_none()).map(|desired| &desired.email).collect();
    for desired in &input.desired.users {
        let namesakes = live.get(&desired.email).map(Vec::as_slice).unwrap_or_default();
        if is_unreadable(input, desired, namesakes) {
            continue;
        }
        let address = Address::user(&desired.email).with_id(&desired.id);
        let is_planned = builder.entry(&address, |builder| match (&desired.id, namesakes) {
            _ if builder.unknown_roles.contains_key(&desired.place) => {
                builder.findings.extend(builder.unknown_roles.remove(&desired.place).unwrap_or_default());
            }
            (Some(id), _) => {
                plan_pinned(input, desired, id, namesakes, planned_roles, builder);
                let user_invitations = invitations.of_user(&desired.email);
                if desired.absent && namesakes.is_empty() && !user_invitations.is_empty() {
                    missing::prevent_joining(input, desired, user_invitations, None, builder);
                }
            }
            (None, []) => {
                let now = renamed.get(&desired.email).filter(|_| !builder.is_asserted(&address));
                if let Some(now) = now.map(|user| Address::user(&user.email)) {
                    builder.hold(address.clone(), HoldReason::Renamed { now });
                    return;
                }
                let user_invitations = invitations.of_user(&desired.email);
                non_members::plan_account(input, desired, user_invitations, builder);
                missing::plan_missing(input, desired, user_invitations, planned_roles, builder);
            }
            (None, [user]) if !pinned.contains(&user.id) => {
                present::plan_present(input, desired, user, false, planned_roles, builder);
            }
            // A user who must be removed is removed with all of their accounts.
            (None, several) if desired.absent => {
                for user in several.iter().filter(|user| !pinned.contains(&user.id)) {
                    present::plan_present(input, desired, user, true, planned_roles, builder);
                }
            }
            (None, several) => builder.findings.push(ambiguous(desired, several)),
        });
        if !is_planned {
            // Nobody with this address counts as unlisted: the entry may mean them.
            listed.insert(&desired.email);
        }
    }
    for (email, users) in &live {
        if !listed.contains(email) {
            for user in users.iter().filter(|user| !pinned.contains(&user.id)) {
                let before = renamed.iter().find(|(_, now)| now.id == user.id);
                if let Some((before, _)) = before.filter(|_| input.desired.manage.users == Scope::All) {
                    let before = Address::user(before);
                    builder.hold(address_of(user, users.len() > 1), HoldReason::RenamedFrom { before });
                    continue;
                }
                unlisted::plan_unlisted(input, user, users.len() > 1, planned_roles, builder);
            }
        }
    }
    if let Some(reason) = input.live.users.completeness.hold_if_incomplete("users")
        && input.desired.manage.users == Scope::All
    {
        builder.hold(Address::every(Kind::User), reason);
    }
    invited::plan_unlisted_invitations(input, &invitations, planned_roles, builder);
    if input.desired.manage.users == Scope::All {
        invited::hold_unreadable_invitations(input, builder);
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

/// Returns the accounts whose address has changed, by the address under which the file lists them. The ledger knows
/// the account of each by its id.
fn renamed<'a>(
    input: &PlanInput<'a>,
    live: &BTreeMap<&Email, Vec<&'a LiveUser>>,
) -> BTreeMap<&'a Email, &'a LiveUser> {
    let wanted = input.desired.users.iter().filter(|desired| desired.id.is_none());
    let missing: BTreeSet<&Email> =
        wanted.map(|desired| &desired.email).filter(|email| !live.contains_key(email)).collect();
    let accounts = input.live.users.items.iter().filter_map(|user| {
        let before = &input.facts.members.get(&user.id)?.email;
        missing.get(before).map(|email| (*email, user))
    });
    accounts.collect()
}

/// All invitations, by email address.
#[derive(Default)]
struct Invitations<'a> {
    /// Invitations that can still be accepted.
    open: BTreeMap<&'a Email, Vec<&'a LiveInvitation>>,
    /// Invitations that have expired, if the platform lists them.
    expired: BTreeMap<&'a Email, Vec<&'a LiveInvitation>>,
}

/// The invitations for one email address.
#[derive(Clone, Copy)]
struct UserInvitations<'a> {
    open: &'a [&'a LiveInvitation],
    expired: &'a [&'a LiveInvitation],
}

impl UserInvitations<'_> {
    fn is_empty(self) -> bool {
        self.open.is_empty() && self.expired.is_empty()
    }
}

impl<'a> Invitations<'a> {
    fn from_live(input: &PlanInput<'a>) -> Self {
        let mut invitations = Self::default();
        for invitation in input.live.invitations() {
            let list = if invitation.expired { &mut invitations.expired } else { &mut invitations.open };
            list.entry(&invitation.email).or_default().push(invitation);
        }
        invitations
    }

    fn of_user(&self, email: &Email) -> UserInvitations<'_> {
        UserInvitations {
            open: self.open.get(email).map(Vec::as_slice).unwrap_or_default(),
            expired: self.expired.get(email).map(Vec::as_slice).unwrap_or_default(),
        }
    }
}

fn ambiguous(desired: &DesiredUser, several: &[&LiveUser]) -> Finding {
    if let [only] = several {
        let message =
            format!("The only user with the address {} is already listed by `id` in another entry.", only.email);
        return Finding::error(Code::DuplicateUser, desired.place.clone(), message).hint("Merge the two entries.");
    }
    let ids: Vec<_> = several.iter().map(|user| user.id.as_str()).collect();
    Finding::error(
        Code::AmbiguousUser,
        desired.place.clone(),
        format!("{} live users have the address {}: {}.", several.len(), desired.email, ids.join(", ")),
    )
    .hint("List each with its `id` where users have that field. Otherwise, have the platform merge or remove one.")
}

fn plan_pinned(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    id: &RemoteId,
    namesakes: &[&LiveUser],
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    if let Some(user) = namesakes.iter().find(|user| user.id == *id) {
        present::plan_present(input, desired, user, namesakes.len() > 1, planned_roles, builder);
        return;
    }
    let elsewhere = input.live.users.items.iter().find(|user| user.id == *id);
    if elsewhere.is_none()
        && let Some(reason) = input.live.users.completeness.hold_if_incomplete("users")
    {
        builder.hold(Address::user(&desired.email).with_id(id), reason);
        return;
    }
    if elsewhere.is_none() && input.rules.has(Quirk::HidesDisabled) {
        // A disabled user isn't listed, so their id can't be checked.
        if !desired.absent {
            builder.hold(Address::user(&desired.email).with_id(id), disabled::why_not_listed(input, id));
        }
        return;
    }
    let (message, hint) = match elsewhere {
        Some(user) => (
            format!("The user {id} has the address {} now, not {}.", user.email, desired.email),
            format!("If it is the same person, write `email: {}`.", user.email),
        ),
        None => (
            format!("There is no user with the id {id}."),
            "`rolecall drift` shows the ids of ambiguous addresses. Without `id`, the user is found by address."
                .to_owned(),
        ),
    };
    let finding = Finding::error(Code::UnknownId, desired.place.clone(), message).hint(hint);
    // If the user must be removed, a missing id can mean that this is done. It can also be a typo, so it is a
    // warning.
    let harmless = desired.absent && elsewhere.is_none();
    builder.findings.push(if harmless { Finding { severity: Severity::Warning, ..finding } } else { finding });
}

/// Returns the address of a user, with the id if several users have the same email address.
fn address_of(user: &LiveUser, namesakes: bool) -> Address {
    let address = Address::user(&user.email);
    if namesakes { address.with_id(&user.id) } else { address }
}

/// Returns the problem of the first of these roles that can't be given, or `None` if all can be given.
fn role_problem(
    desired: &DesiredUser,
    roles: &BTreeSet<RoleName>,
    planned_roles: &PlannedRoles,
) -> Option<RoleProblem> {
    let place = desired.roles.as_ref().map_or(&desired.place, |roles| &roles.place);
    roles.iter().find_map(|role| match planned_roles.availability(role) {
        Availability::Available => None,
        Availability::Held => Some(RoleProblem::Hold(HoldReason::RoleSkipped { role: role.clone() })),
        Availability::Unlisted => {
            let (role, must_be_removed) = (role.clone(), false);
            Some(RoleProblem::Hold(HoldReason::RoleNotListed { role, must_be_removed }))
        }
        Availability::Deleted => Some(RoleProblem::Finding(
            Finding::error(
                Code::RoleIsAbsent,
                place.clone(),
                format!("{} should have the role `{role}`, but the file deletes that role.", desired.email),
            )
            .hint("List the role under `roles`, or give the user another."),
        )),
        Availability::Unknown => {
            let known: Vec<&str> = planned_roles.names().collect();
            let hint = match nearest(role.as_str(), known.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("There are {}. List a new role under `roles`.", list_of(&known, "and")),
            };
            Some(RoleProblem::Finding(
                Finding::error(
                    Code::UnknownRole,
                    place.clone(),
                    format!(
                        "{} should have the role {}, which doesn't exist.",
                        desired.email,
                        quote(role.as_str())
                    ),
                )
                .hint(hint),
            ))
        }
    })
}

/// The reason why a user can't be given a role.
enum RoleProblem {
    Finding(Finding),
    Hold(HoldReason),
}

impl RoleProblem {
    /// Adds the finding or the hold to the plan.
    fn report(self, address: &Address, builder: &mut PlanBuilder<'_>) {
        match self {
            Self::Finding(finding) => builder.findings.push(finding),
            Self::Hold(reason) => builder.hold(address.clone(), reason),
        }
    }
}
