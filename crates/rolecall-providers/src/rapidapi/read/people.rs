//! Reads the people of an organisation: its members and the invited.
//!
//! No single list has everything, and none says when it is cut short. So several are read, and they have to agree:
//!
//! - `organization.users` has the members with their accounts. It leaves out members who are deactivated in the
//!   organisation.
//! - The rows of `paginatedTeamUsersByOrganizationIdV2` have the members and the invited alike, with a state,
//!   teams, and a role of an older system. This is the only list of invitations.
//! - The role rows of `entitiesRoles` have the roles that were assigned. They outlive memberships: see
//!   `give_roles`.
//! - Teams have a count of their members.
//!
//! For example, Jane and Bob are members, and Kim is invited. `organization.users` lists Jane and Bob. There are
//! three rows: Jane and Bob with the state `active`, and Kim with the state `pending`. No member has Kim's address
//! or Kim's state, so her row is an invitation. Now suppose that `organization.users` is cut short and lacks Bob.
//! His row has the state of Jane's, so it is no invitation: Bob is a member whom one list leaves out. The list of
//! users is then incomplete, and nothing that rests on somebody's absence is planned. Otherwise Bob would be
//! invited again. In the same way:
//!
//! - A second row for Jane is an invitation that was sent to a member. If it says the same as her own row, it is a
//!   duplicate, and the list is incomplete.
//! - A deactivated row without a member is a member who was deactivated in the organisation.
//! - If `organization.users` says that Jane is in the team Platform, and her row says Platform and Billing, the
//!   list of teams is incomplete.
//! - If a team counts more people than its members and its invitations together, the list of teams is incomplete.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::json;

use super::super::documents::TEAM_USERS;
use super::super::number::number;
use super::super::rules::ADMIN;
use super::super::wire::{Count, Id, Identified, TeamUsers, TeamUsersPage, WireTeamUser, WireUser};
use super::teams::Teams;
use super::{failed, missing};
use crate::ReadError;
use crate::rows::{self, Fields, Mail, Row, separate};
use rolecall_graphql::Reader;
use rolecall_model::{
    AccountStatus, Completeness, Email, Kind, Listing, LiveInvitation, LiveUser, Memberships, ReadOnly, RemoteId,
    RoleName, Seen, UnreadableRow,
};

/// The number of rows that the first page asks for. The documentation doesn't say how many a hub returns at most.
const EVERYBODY: Count = 10_000;

/// The number of rows that a page asks for if a hub returns or allows fewer, as in the vendor's example.
const PAGE: Count = 1000;

/// The most pages that are asked for at once.
pub(super) const AT_ONCE: usize = 10;

// The states of an account, by the vendor's page on user management.
const ACTIVE: &str = "ACTIVE";
const DEACTIVATED: &str = "DEACTIVATED";
const PENDING: &str = "PENDING";
const DELETED: &str = "DELETED";

/// The rows of the list that has both members and invited people.
#[derive(Default)]
pub(super) struct Rows {
    people: Vec<WireTeamUser>,
    unread: Vec<UnreadableRow>,
    pub pages: usize,
    /// The number of rows, as the platform counts them.
    total: Count,
    /// The number of active members, as the platform counts them.
    active: Option<Count>,
}

const MEMBER: Fields = Fields { kind: Kind::User, id: "/id", name: "/email", roles: "/role/role/name" };

/// The most rows that are read. A hub has fewer people.
const MOST: Count = 1_000_000;

/// Reads everybody. The size of the first page tells where the others begin, so these are asked for at once.
pub(super) async fn read_rows(reader: &Reader, organization: &RemoteId) -> Result<Rows, ReadError> {
    let page = async |offset: Count, limit: Count| {
        let paging = json!({ "offset": offset, "limit": limit, "orderBy": "id", "orderDirection": "asc" });
        reader.query(&TEAM_USERS, json!({ "orgId": number(organization), "pagingArgs": paging })).await
    };
    let first = match page(0, EVERYBODY).await {
        Err(error) if error.may_ask_for_too_much() => page(0, PAGE).await,
        first => first,
    };
    let mut found = Rows::default();
    found.add(first.map_err(failed(&TEAM_USERS))?)?;
    let size = found.count();
    let mut others =
        (1..).map(|number| size * number).take_while(|offset| size > 0 && *offset < found.total.min(MOST));
    let others: Vec<Count> = others.by_ref().collect();
    for offsets in others.chunks(AT_ONCE) {
        // Each answer is awaited, even if another one fails: an interrupted read goes on with all of them.
        let pages = join_all(offsets.iter().map(|offset| page(*offset, size.max(PAGE)))).await;
        let before = found.count();
        for page in pages {
            found.add(page.map_err(failed(&TEAM_USERS))?)?;
        }
        if found.count() == before {
            break;
        }
    }
    Ok(found)
}

impl Rows {
    fn add(&mut self, answer: TeamUsers) -> Result<(), ReadError> {
        let TeamUsersPage { data, total, total_active } =
            answer.page.ok_or_else(|| missing(&TEAM_USERS, "paginatedTeamUsersByOrganizationIdV2"))?;
        self.pages += 1;
        (self.total, self.active) = (total, total_active);
        self.people.extend(separate(data, &MEMBER, &mut self.unread));
        Ok(())
    }

    fn count(&self) -> Count {
        counted(&self.people) + counted(&self.unread)
    }
}

/// Converts an account, without its roles and teams. Returns nothing if the account is deleted.
pub(super) fn account(wire: &WireUser) -> Option<LiveUser> {
    let (id, Mail(email)) = (RemoteId::from(wire.id.clone()), wire.email.clone());
    let status = wire.status.as_deref();
    if status == Some(DELETED) {
        return None;
    }
    let account_status = match status {
        _ if wire.protected == Some(true) => AccountStatus::Shielded,
        Some(PENDING) => AccountStatus::Unapproved,
        Some(ACTIVE | DEACTIVATED) | None => AccountStatus::Ordinary,
        Some(_) => AccountStatus::Unclear,
    };
    let enabled = match status {
        Some(ACTIVE) => Seen::Known(true),
        Some(DEACTIVATED | PENDING) => Seen::Known(false),
        _ => Seen::Unreadable,
    };
    // Null means unknown, and not an empty list.
    let only_admin_of = wire.single_admin_orgs.iter().flatten().map(|id| Some(RemoteId::seen(&*id.as_ref()?.0)));
    let only_admin_of = wire.single_admin_orgs.as_ref().and_then(|_| only_admin_of.collect());
    Some(LiveUser { enabled, account_status, only_admin_of, ..LiveUser::of(id, email, BTreeSet::new()) })
}

/// The members that `organization.users` lists.
pub(super) struct Members {
    pub users: Vec<LiveUser>,
    /// The role of each member with its name, if the hub's users have roles.
    pub roles: BTreeMap<RemoteId, (RemoteId, Option<String>)>,
    /// The teams of each member, if the hub's users have teams.
    pub teams: BTreeMap<RemoteId, BTreeSet<RemoteId>>,
    /// The rows that can't be read.
    unread: Vec<UnreadableRow>,
    /// The users whose accounts have a status that rolecall doesn't know.
    pub unclear: Vec<ReadOnly>,
    /// The reason why the list isn't complete, if there is one.
    incomplete: Option<String>,
}

pub(super) fn members(wire: Vec<Row<WireUser>>) -> Members {
    let mut found = Members {
        users: Vec::new(),
        roles: BTreeMap::new(),
        teams: BTreeMap::new(),
        unread: Vec::new(),
        unclear: Vec::new(),
        incomplete: None,
    };
    let mut seen = BTreeSet::new();
    // A deleted account may have lost its address.
    let remaining = wire.into_iter().filter(|row| match row {
        Row::Unread(row, _) => row["status"] != DELETED,
        Row::Read(_) => true,
    });
    for user in separate(remaining, &MEMBER, &mut found.unread) {
        let Some(live) = account(&user) else { continue };
        if !seen.insert(live.id.clone()) {
            found.incomplete = Some(format!("the platform lists the user {} twice", live.id));
            continue;
        }
        let WireUser { role, teams, status, .. } = user;
        if live.account_status == AccountStatus::Unclear {
            let status = status.as_deref().unwrap_or_default();
            found.unclear.push(ReadOnly::unknown_value(Kind::User, live.id.clone(), "status", status));
        }
        if let Some(role) = role {
            let name = role.role.and_then(|role| role.name);
            found.roles.insert(live.id.clone(), (RemoteId::from(role.role_id), name));
        }
        found.teams.extend(teams.map(|teams| (live.id.clone(), ids(teams))));
        found.users.push(live);
    }
    found.users.sort_by(|a, b| a.id.cmp(&b.id));
    found
}

/// Returns the number of rows in the platform's type.
pub(super) fn counted<T>(rows: &[T]) -> Count {
    Count::try_from(rows.len()).unwrap_or(Count::MAX)
}

fn ids(teams: Vec<Option<Identified>>) -> BTreeSet<RemoteId> {
    teams.into_iter().flatten().map(|team| RemoteId::from(team.id)).collect()
}

/// The people of an organisation, combined from all lists.
pub(super) struct People {
    pub users: Listing<LiveUser>,
    pub invitations: Listing<LiveInvitation>,
    /// The reason why the members of teams aren't certain, if there is one.
    pub doubt_about_teams: Option<String>,
    /// The users who are admins by the older system of roles.
    pub legacy_admins: BTreeSet<RemoteId>,
    /// The rows of all lists that can't be read.
    pub unread: Vec<UnreadableRow>,
}

/// Combines the lists, as the module describes. `count` is the number of members by the organisation's own record.
pub(super) fn people(members: Members, rows: Rows, teams: &Teams, count: Option<Count>) -> People {
    let Members { mut users, teams: teams_of_users, mut unread, incomplete, .. } = members;
    let row_count = rows.count();
    let Rows { people: mut rows, unread: unread_rows, total, active, .. } = rows;
    // Whoever can't be read in one list isn't looked for in the other.
    let unread_members = rows::ids(&unread);
    let is_unread = |row: &WireTeamUser| {
        row.id.as_ref().is_some_and(|id| unread_members.iter().any(|it| has_id(Some(id), it)))
    };
    rows.retain(|row| !is_unread(row));
    let mut members_with_row = rows::ids(&unread_rows);
    unread.extend(unread_rows.into_iter().filter(|row| {
        let is_known = |id: &RemoteId| unread_members.contains(id) || users.iter().any(|user| user.id == *id);
        !row.address.id.as_ref().is_some_and(is_known)
    }));
    let by_email: BTreeMap<Email, RemoteId> =
        users.iter().map(|user| (user.email.clone(), user.id.clone())).collect();
    let mut teams_of_rows: BTreeMap<RemoteId, BTreeSet<RemoteId>> = BTreeMap::new();
    let (mut invitations, mut suspended) = (Vec::new(), Vec::new());
    let (mut duplicate, mut left_out) = (None, None);
    let mut legacy_admins = BTreeSet::new();
    let own_rows = own_rows(&rows, &by_email);
    let states: Vec<String> = rows.iter().map(state).collect();
    // The states of members aren't documented. Whatever they are, an invitation has another one.
    let member_states: BTreeSet<&String> =
        own_rows.values().map(|index| &states[*index]).filter(|state| !state.is_empty()).collect();
    for (index, WireTeamUser { id, email: Mail(email), role, teams: in_teams, .. }) in rows.into_iter().enumerate()
    {
        let state = &states[index];
        let is_deactivated = state.contains("deactivated");
        let member = by_email.get(&email);
        // A second row with a member's address is an invitation that was sent to a member, unless it has the same
        // state as the member's own row: then it is a duplicate.
        let belongs_to = |member: &&RemoteId| {
            let own = own_rows.get(*member);
            own.is_some_and(|own| {
                *own == index || (has_id(id.as_ref(), member) || !state.is_empty()) && states[*own] == *state
            })
        };
        if let Some(member) = member.filter(belongs_to) {
            if !members_with_row.insert(member.clone()) {
                duplicate = Some(format!("the platform lists {email} twice"));
            }
            if role.is_some_and(|role| role.eq_ignore_ascii_case(ADMIN)) {
                legacy_admins.insert(member.clone());
            }
            teams_of_rows.extend(in_teams.map(|teams| (member.clone(), ids(teams))));
            if is_deactivated && let Some(user) = users.iter_mut().find(|user| user.id == *member) {
                user.account_status = AccountStatus::Suspended;
            }
        } else if is_deactivated {
            // Such a member is left out of `organization.users`.
            suspended.extend(id.map(|id| (RemoteId::from(id), email)));
        } else if member_states.contains(state) {
            left_out.get_or_insert(email);
        } else {
            let teams = in_teams.map(|listed| teams.names(&ids(listed)));
            let role = RoleName::seen(role.unwrap_or_default().to_uppercase());
            invitations.push(LiveInvitation {
                email,
                role,
                created: None,
                teams,
                expired: state.contains("expired"),
            });
        }
    }
    let doubt_about_teams =
        doubt_about_teams(&users, &teams_of_users, &teams_of_rows, teams, &invitations, counted(&unread));
    for user in &mut users {
        let ids = teams_of_users.get(&user.id).or_else(|| teams_of_rows.get(&user.id));
        user.teams = ids.map(|ids| memberships(ids, teams));
    }
    let without_row = by_email.iter().find(|(_, id)| !members_with_row.contains(*id)).map(|(email, _)| email);
    let in_one_list = without_row.or(left_out.as_ref());
    let doubt_about_users = incomplete
        .or(duplicate)
        .or_else(|| in_one_list.map(|email| format!("{email} is in only one of two lists")))
        .or_else(|| {
            let most = counted(&users) + counted(&invitations) + counted(&suspended) + counted(&unread);
            let count = count.filter(|count| !(counted(&users)..=most).contains(count))?;
            Some(format!("the organisation says that it has {count} users, and lists {}", users.len()))
        })
        .or_else(|| {
            let active = active.filter(|active| *active > counted(&users) + counted(&unread))?;
            Some(format!("the platform says that {active} users are active, and lists {}", users.len()))
        });
    let doubt_about_rows = (row_count != total)
        .then(|| format!("the platform says that there are {total} people, and lists {row_count}"));
    let completeness =
        |doubt: Option<String>| doubt.map_or(Completeness::Proven, |why| Completeness::Broken { why });
    users.extend(suspended.into_iter().map(|(id, email)| without_access(id, email)));
    users.sort_by(|a, b| a.id.cmp(&b.id));
    invitations.sort_by(|a, b| (a.email.as_str(), &a.role, &a.teams).cmp(&(b.email.as_str(), &b.role, &b.teams)));
    People {
        users: Listing {
            items: users,
            completeness: completeness(doubt_about_users.or_else(|| doubt_about_rows.clone())),
        },
        invitations: Listing { items: invitations, completeness: completeness(doubt_about_rows) },
        doubt_about_teams,
        legacy_admins,
        unread,
    }
}

/// Returns a deactivated member.
fn without_access(id: RemoteId, email: Email) -> LiveUser {
    LiveUser {
        account_status: AccountStatus::Suspended,
        enabled: Seen::Unreadable,
        ..LiveUser::of(id, email, BTreeSet::new())
    }
}

/// Returns the teams with these ids that the organisation lists. The roles in them are read later.
fn memberships(ids: &BTreeSet<RemoteId>, teams: &Teams) -> Memberships {
    let listed = ids.iter().filter_map(|id| teams.by_id.get(id));
    listed.map(|team| (team.name.clone(), None)).collect()
}

/// Returns the index of each member's own row. Of the rows with a member's address that is the active one with
/// their id, or else the first one with their id, or else the first.
fn own_rows(rows: &[WireTeamUser], by_email: &BTreeMap<Email, RemoteId>) -> BTreeMap<RemoteId, usize> {
    let likelihood = |row: &WireTeamUser, member| (has_id(row.id.as_ref(), member), state(row) == "active");
    let mut own = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let Some(member) = by_email.get(&row.email.0) else { continue };
        let found = *own.entry(member.clone()).or_insert(index);
        if likelihood(row, member) > likelihood(&rows[found], member) {
            own.insert(member.clone(), index);
        }
    }
    own
}

fn state(row: &WireTeamUser) -> String {
    row.invite_status.as_deref().unwrap_or_default().to_lowercase()
}

fn has_id(id: Option<&Id>, member: &RemoteId) -> bool {
    id.is_some_and(|id| id.0 == member.as_str())
}

/// Returns the first contradiction about the members of teams: between two lists, or between a list and a count.
fn doubt_about_teams(
    users: &[LiveUser],
    teams_of_users: &BTreeMap<RemoteId, BTreeSet<RemoteId>>,
    teams_of_rows: &BTreeMap<RemoteId, BTreeSet<RemoteId>>,
    teams: &Teams,
    invitations: &[LiveInvitation],
    unread: Count,
) -> Option<String> {
    let listed = |ids: &BTreeSet<RemoteId>| -> BTreeSet<RemoteId> {
        ids.iter().filter(|id| teams.by_id.contains_key(*id)).cloned().collect()
    };
    let mut sizes: BTreeMap<&RemoteId, Count> = BTreeMap::new();
    for user in users {
        let of_user = teams_of_users.get(&user.id).map(listed);
        let of_row = teams_of_rows.get(&user.id).map(listed);
        if let (Some(of_user), Some(of_row)) = (&of_user, &of_row)
            && of_user != of_row
        {
            return Some(format!("two lists disagree about the teams of {}", user.email));
        }
        for team in of_user.or(of_row).iter().flatten() {
            if let Some((id, _)) = teams.by_id.get_key_value(team) {
                *sizes.entry(id).or_default() += 1;
            }
        }
    }
    teams.counts.iter().find_map(|(id, count)| {
        let team = teams.by_id.get(id)?;
        let members = sizes.get(id).copied().unwrap_or_default();
        let invited = invitations
            .iter()
            .filter(|invitation| invitation.teams.as_ref().is_some_and(|teams| teams.contains(&team.name)));
        let most = members + counted(&invited.collect::<Vec<_>>()) + unread;
        (!(members..=most).contains(count))
            .then(|| format!("the team {} says that it has {count} people, and {members} are listed", team.name))
    })
}
