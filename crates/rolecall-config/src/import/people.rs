//! The section `users`: members and invitations.

use std::collections::{BTreeMap, BTreeSet};

use super::super::write::{Entry, Fields, Item, Section, Yaml, resources};
use super::{ImportInput, PRIVILEGED, is_privileged, writer};
use rolecall_model::{
    AccountField, AccountStatus, Address, Email, InviteField, Kind, LiveInvitation, LiveUser, Memberships, Quirk,
    RoleName, Seen,
};

/// The people with one email address.
#[derive(Default)]
struct People<'a> {
    members: Vec<&'a LiveUser>,
    open: Vec<&'a LiveInvitation>,
    expired: usize,
}

/// Returns the section. Adds [`Kind::User`] to `lacking` if somebody can't be listed.
pub(super) fn section(input: &ImportInput<'_>, lacking: &mut BTreeSet<Kind>) -> Section {
    let mut people: BTreeMap<&Email, People<'_>> = BTreeMap::new();
    for user in &input.live.users.items {
        people.entry(&user.email).or_default().members.push(user);
    }
    for invitation in input.live.invitations() {
        let of = people.entry(&invitation.email).or_default();
        if invitation.expired {
            of.expired += 1;
        } else {
            of.open.push(invitation);
        }
    }
    let mut items = Vec::new();
    for (email, People { members, open, expired }) in people {
        match (&*members, &*open) {
            ([], []) => items.push(Item::Comment(format!(
                "{email} didn't accept an invitation, and {} expired. An entry would ask for another.",
                if expired == 1 { "it has" } else { "all have" }
            ))),
            ([], [invitation]) => items.push(Item::Entry(invited(input, invitation))),
            ([], several) => {
                lacking.insert(Kind::User);
                items.push(Item::Comment(format!(
                    "{email} has {} invitations. With an entry, rolecall would cancel all but one.",
                    several.len()
                )));
            }
            ([user], open) => items.push(member(input, user, false, !open.is_empty())),
            (several, _) if input.format.rules.has(Quirk::UsersHaveIds) => {
                let mut several = several.to_vec();
                several.sort_by(|a, b| a.id.cmp(&b.id));
                items.extend(several.into_iter().map(|user| member(input, user, true, !open.is_empty())));
            }
            (several, _) => {
                lacking.insert(Kind::User);
                items.push(Item::Comment(format!(
                    "{} users have the address {email}, and an entry can't say which of them it means.",
                    several.len()
                )));
            }
        }
    }
    let shows_enabled = !input.live.users.items.iter().any(|user| user.enabled == Seen::Unreadable);
    let needs_enabled = input.format.rules.capabilities().account_field == Some(AccountField::Enabled);
    let notes = (needs_enabled && !shows_enabled).then(|| {
        "The API doesn't show who is enabled, so no entry has `enabled`. Add it to a user before you change them."
            .to_owned()
    });
    Section { kind: Kind::User, notes: notes.into_iter().collect(), items }
}

fn member(input: &ImportInput<'_>, user: &LiveUser, pinned: bool, invited: bool) -> Item {
    if user.account_status == AccountStatus::Owner {
        return Item::Comment(format!("{} is the owner, whom rolecall never changes.", user.email));
    }
    let id = Some(&user.id).filter(|_| pinned);
    let mut fields: Fields = vec![("email", Yaml::text(&user.email))];
    fields.extend(id.map(|id| ("id", Yaml::text(id))));
    let roles = writer(input).roles(&user.roles);
    let mut entry = Entry::new(Address::user(&user.email).with_id(id), fields);
    if roles.is_none() {
        let names: Vec<&str> = user.roles.iter().map(RoleName::as_str).collect();
        entry
            .remarks
            .push(format!("`roles` can't be written: this version of rolecall can't give {}.", names.join(", ")));
    }
    entry.fields.extend(roles);
    entry.fields.extend(user.resources.as_ref().map(|of| ("resources", resources(of))));
    entry.fields.extend(teams(input, user, user.teams.as_ref()));
    if user.enabled == Seen::Known(false)
        && input.format.rules.capabilities().account_field == Some(AccountField::Status)
    {
        entry.fields.push(("status", Yaml::text("deactivated")));
    }
    entry.marks.extend(is_privileged(input, &user.roles).then_some(PRIVILEGED));
    entry.marks.extend(status(user.account_status));
    entry
        .marks
        .extend(invited.then_some("has an open invitation besides, which the next apply cancels if the API can"));
    Item::Entry(entry)
}

/// Returns what a reader has to know of an account.
fn status(status: AccountStatus) -> Option<&'static str> {
    match status {
        AccountStatus::Ordinary | AccountStatus::Owner => None,
        AccountStatus::Shielded => Some("the platform protects this account"),
        AccountStatus::Unapproved => Some("waits for approval by an administrator of the platform"),
        AccountStatus::Suspended => Some("somebody has deactivated this user in the organisation"),
        AccountStatus::Unclear => Some("the status of the account is one that rolecall doesn't know"),
    }
}

fn teams(input: &ImportInput<'_>, user: &LiveUser, teams: Option<&Memberships>) -> Option<(&'static str, Yaml)> {
    let writer = writer(input);
    teams.filter(|_| !writer.is_in_every_team(&user.roles)).map(|teams| ("teams", writer.teams(teams)))
}

fn invited(input: &ImportInput<'_>, invitation: &LiveInvitation) -> Entry {
    let user = invitation.entity();
    let mut entry = Entry::new(Address::user(&user.email), vec![("email", Yaml::text(&user.email))]);
    let roles = roles_as_member(input, invitation);
    let is_privileged = is_privileged(input, roles.as_ref().unwrap_or(&user.roles));
    entry.marks.extend(is_privileged.then_some(PRIVILEGED));
    entry.marks.push("invited, and hasn't accepted yet");
    entry
        .marks
        .extend(roles.is_none().then_some("no role of the platform is known to be the one of the invitation"));
    let needs = input.format.rules.capabilities().invite_needs;
    entry.marks.extend(needs.contains(&InviteField::Resources).then_some("the API doesn't show the resources"));
    let in_every_team = roles.as_ref().is_some_and(|roles| writer(input).is_in_every_team(roles));
    entry.fields.extend(roles.map(|roles| ("roles", Yaml::names(roles))));
    let teams = user.teams.as_ref().filter(|_| !in_every_team);
    entry.fields.extend(teams.map(|teams| ("teams", Yaml::names(teams.keys()))));
    entry
}

/// Returns the roles that the user has after accepting an invitation, as a file says them. On some platforms an
/// invitation names its role differently, and several roles may have one name there: then none is known.
fn roles_as_member(input: &ImportInput<'_>, invitation: &LiveInvitation) -> Option<BTreeSet<RoleName>> {
    let (live, rules) = (input.live, input.format.rules);
    let invited = BTreeSet::from([invitation.role.clone()]);
    let Some(assignable) = &live.assignable else {
        return (!invitation.role.as_str().is_empty()).then_some(invited);
    };
    let candidates = assignable.organization.iter().map(|role| BTreeSet::from([role.name.clone()]));
    let mut fitting = candidates
        .filter(|roles| rules.can_invite_with(live, roles) && rules.invitation_roles(live, roles) == invited);
    fitting.next().filter(|_| fitting.next().is_none())
}
