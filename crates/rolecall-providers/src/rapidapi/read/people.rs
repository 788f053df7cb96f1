//! Who is in an organisation, and who is invited: two lists that have to agree, as neither says when it is cut short.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::documents::{ORGANIZATION, TEAM_USERS};
use super::super::number::number;
use super::super::rules::ADMIN;
use super::super::wire::{Count, Id, Identified, TeamUsers, TeamUsersPage, WireTeamUser, WireUser};
use super::teams::Teams;
use super::{failed, missing, some};
use crate::ReadError;
use rolecall_graphql::Reader;
use rolecall_model::{
    AccountStatus, Completeness, Email, Listing, LiveInvitation, LiveUser, Memberships, RemoteId, RoleName, Seen,
};

/// Rows asked for in one page, as in the vendor's example.
const PAGE: usize = 1000;

/// What a hub calls the states of a user, by the vendor's page on user management.
const ACTIVE: &str = "ACTIVE";
const DEACTIVATED: &str = "DEACTIVATED";
const PENDING: &str = "PENDING";
const DELETED: &str = "DELETED";

/// The list that has the invited among the members.
pub(super) struct Rows {
    people: Vec<WireTeamUser>,
    total: Count,
    active: Option<Count>,
}

pub(super) async fn read_rows(reader: &Reader, organization: &RemoteId) -> Result<Rows, ReadError> {
    let mut found = Rows { people: Vec::new(), total: 0, active: None };
    loop {
        let paging =
            json!({ "offset": found.people.len(), "limit": PAGE, "orderBy": "id", "orderDirection": "asc" });
        let variables = json!({ "orgId": number(organization), "pagingArgs": paging });
        let answer: TeamUsers = reader.query(&TEAM_USERS, variables).await.map_err(failed(&TEAM_USERS))?;
        let TeamUsersPage { data, total, total_active } =
            answer.page.ok_or_else(|| missing(&TEAM_USERS, "paginatedTeamUsersByOrganizationIdV2"))?;
        (found.total, found.active) = (total, total_active);
        let last = data.is_empty();
        found.people.extend(data);
        if last || counted(&found.people) >= total {
            return Ok(found);
        }
    }
}

/// Of a user, without what is told elsewhere. None: there is no such account any more.
pub(super) fn account(wire: &WireUser, index: usize) -> Result<Option<LiveUser>, ReadError> {
    let lacks = |field: &str| missing(&ORGANIZATION, format!("users[{index}].{field}"));
    let id = RemoteId::from(wire.id.clone().ok_or_else(|| lacks("id"))?);
    let email = Email::seen(&some(wire.email.clone()).ok_or_else(|| lacks("email"))?);
    let status = wire.status.as_deref();
    if status == Some(DELETED) {
        return Ok(None);
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
    // Null isn't none.
    let only_admin_of = wire.single_admin_orgs.iter().flatten().map(|id| Some(RemoteId::seen(&*id.as_ref()?.0)));
    let only_admin_of = wire.single_admin_orgs.as_ref().and_then(|_| only_admin_of.collect());
    Ok(Some(LiveUser { enabled, account_status, only_admin_of, ..LiveUser::of(id, email, BTreeSet::new()) }))
}

/// The members as an organisation lists them.
pub(super) struct Members {
    pub users: Vec<LiveUser>,
    /// By the ids of the users: the roles that they say they have, and the teams.
    pub roles: BTreeMap<RemoteId, (RemoteId, Option<String>)>,
    pub teams: BTreeMap<RemoteId, BTreeSet<RemoteId>>,
    /// Why the list isn't whole, if it isn't.
    broken: Option<String>,
}

pub(super) fn members(wire: Vec<Option<WireUser>>) -> Result<Members, ReadError> {
    let mut found = Members { users: Vec::new(), roles: BTreeMap::new(), teams: BTreeMap::new(), broken: None };
    let mut seen = BTreeSet::new();
    for (index, user) in wire.into_iter().enumerate() {
        let user = user.ok_or_else(|| missing(&ORGANIZATION, format!("organization.users[{index}]")))?;
        let Some(live) = account(&user, index)? else { continue };
        if !seen.insert(live.id.clone()) {
            found.broken = Some(format!("the platform lists the user {} twice", live.id));
            continue;
        }
        let WireUser { role, teams, .. } = user;
        if let Some(role) = role {
            let name = role.role.and_then(|role| role.name);
            found.roles.insert(live.id.clone(), (RemoteId::from(role.role_id), name));
        }
        found.teams.extend(teams.map(|teams| (live.id.clone(), ids(teams))));
        found.users.push(live);
    }
    found.users.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

/// As the platform counts.
pub(super) fn counted<T>(rows: &[T]) -> Count {
    Count::try_from(rows.len()).unwrap_or(Count::MAX)
}

fn ids(teams: Vec<Option<Identified>>) -> BTreeSet<RemoteId> {
    teams.into_iter().flatten().map(|team| RemoteId::from(team.id)).collect()
}

/// Everybody, put together.
pub(super) struct People {
    pub users: Listing<LiveUser>,
    pub invitations: Listing<LiveInvitation>,
    /// Why it isn't known for sure who is in which team, if it isn't.
    pub unsure_of_teams: Option<String>,
    /// Who administrates, by the name that the older system has for that.
    pub admins_of_old: BTreeSet<RemoteId>,
}

/// `count`: how many members there are by the organisation's own word.
pub(super) fn people(members: Members, rows: Rows, teams: &Teams, count: Option<Count>) -> People {
    let Members { mut users, teams: told, broken, .. } = members;
    let Rows { people: rows, total, active } = rows;
    let (read, mut known) = (counted(&rows), BTreeSet::new());
    let by_email: BTreeMap<Email, RemoteId> =
        users.iter().map(|user| (user.email.clone(), user.id.clone())).collect();
    let mut shown: BTreeMap<RemoteId, BTreeSet<RemoteId>> = BTreeMap::new();
    let (mut invitations, mut suspended) = (Vec::new(), Vec::new());
    let (mut twice, mut left_out) = (None, None);
    let mut admins_of_old = BTreeSet::new();
    let own = own_rows(&rows, &by_email);
    let states: Vec<String> = rows.iter().map(state).collect();
    // What is said of members isn't documented, and whatever it is, no invitation has it.
    let of_members: BTreeSet<&String> =
        own.values().map(|index| &states[*index]).filter(|it| !it.is_empty()).collect();
    for (index, WireTeamUser { id, email, role, teams: in_teams, .. }) in rows.into_iter().enumerate() {
        let (email, state) = (Email::seen(&email), &states[index]);
        let off = state.contains("deactivated");
        let member = by_email.get(&email);
        // A second row of a member is an invitation, which may have been sent to somebody who is in, unless it says
        // the same of them.
        let is_theirs = |member: &&RemoteId| {
            let own = own.get(*member);
            own.is_some_and(|own| {
                *own == index || (is_of(id.as_ref(), member) || !state.is_empty()) && states[*own] == *state
            })
        };
        if let Some(member) = member.filter(is_theirs) {
            if !known.insert(member.clone()) {
                twice = Some(format!("the platform lists {email} twice"));
            }
            if role.is_some_and(|role| role.eq_ignore_ascii_case(ADMIN)) {
                admins_of_old.insert(member.clone());
            }
            shown.extend(in_teams.map(|teams| (member.clone(), ids(teams))));
            if off && let Some(user) = users.iter_mut().find(|user| user.id == *member) {
                user.account_status = AccountStatus::Suspended;
            }
        } else if off {
            // Of the organisation, and left out where it lists its users.
            suspended.extend(id.map(|id| (RemoteId::from(id), email)));
        } else if of_members.contains(state) {
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
    let unsure_of_teams = team_doubts(&users, &told, &shown, teams, &invitations);
    for user in &mut users {
        let ids = told.get(&user.id).or_else(|| shown.get(&user.id)).cloned();
        let by_team = || teams.people.as_ref().map(|people| members_of(people, &user.email));
        let ids = ids.or_else(by_team);
        user.teams = ids.map(|ids| {
            let here = ids.into_iter().filter(|id| teams.by_id.contains_key(id)).collect();
            teams.names(&here).into_iter().map(|team| (team, None)).collect::<Memberships>()
        });
    }
    let unlisted = by_email.iter().find(|(_, id)| !known.contains(*id)).map(|(email, _)| email);
    let unlisted = unlisted.or(left_out.as_ref());
    let of_users = broken
        .or(twice)
        .or_else(|| unlisted.map(|email| format!("{email} is in one of two lists, and not in the other")))
        .or_else(|| {
            let most = counted(&users) + counted(&invitations) + counted(&suspended);
            let count = count.filter(|count| !(counted(&users)..=most).contains(count))?;
            Some(format!("the organisation says that it has {count} users, and lists {}", users.len()))
        })
        .or_else(|| {
            let active = active.filter(|active| *active > counted(&users))?;
            Some(format!("the platform says that {active} are active, and lists {}", users.len()))
        });
    let of_rows =
        (read != total).then(|| format!("the platform says that there are {total} people, and lists {read}"));
    let why = |why: Option<String>| why.map_or(Completeness::Proven, |why| Completeness::Broken { why });
    users.extend(suspended.into_iter().map(|(id, email)| LiveUser {
        account_status: AccountStatus::Suspended,
        enabled: Seen::Unreadable,
        ..LiveUser::of(id, email, BTreeSet::new())
    }));
    users.sort_by(|a, b| a.id.cmp(&b.id));
    invitations.sort_by(|a, b| (a.email.as_str(), &a.role, &a.teams).cmp(&(b.email.as_str(), &b.role, &b.teams)));
    People {
        users: Listing { items: users, completeness: why(of_users.or_else(|| of_rows.clone())) },
        invitations: Listing { items: invitations, completeness: why(of_rows) },
        unsure_of_teams,
        admins_of_old,
    }
}

/// Which row is the member's own: the one with their id that is active, or else the first with their address.
fn own_rows(rows: &[WireTeamUser], by_email: &BTreeMap<Email, RemoteId>) -> BTreeMap<RemoteId, usize> {
    let likely = |row: &WireTeamUser, member| (is_of(row.id.as_ref(), member), state(row) == "active");
    let mut own = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let Some(member) = by_email.get(&Email::seen(&row.email)) else { continue };
        let found = *own.entry(member.clone()).or_insert(index);
        if likely(row, member) > likely(&rows[found], member) {
            own.insert(member.clone(), index);
        }
    }
    own
}

fn state(row: &WireTeamUser) -> String {
    row.invite_status.as_deref().unwrap_or_default().to_lowercase()
}

fn is_of(id: Option<&Id>, member: &RemoteId) -> bool {
    id.is_some_and(|id| id.0 == member.as_str())
}

fn members_of(people: &BTreeMap<RemoteId, BTreeSet<Email>>, email: &Email) -> BTreeSet<RemoteId> {
    people.iter().filter(|(_, emails)| emails.contains(email)).map(|(team, _)| team.clone()).collect()
}

/// Where two lists, or a list and a count, tell of different teams.
fn team_doubts(
    users: &[LiveUser],
    told: &BTreeMap<RemoteId, BTreeSet<RemoteId>>,
    shown: &BTreeMap<RemoteId, BTreeSet<RemoteId>>,
    teams: &Teams,
    invitations: &[LiveInvitation],
) -> Option<String> {
    let here = |ids: &BTreeSet<RemoteId>| -> BTreeSet<RemoteId> {
        ids.iter().filter(|id| teams.by_id.contains_key(*id)).cloned().collect()
    };
    let mut sizes: BTreeMap<&RemoteId, Count> = BTreeMap::new();
    for user in users {
        let by_team = || teams.people.as_ref().map(|people| members_of(people, &user.email));
        let one = told.get(&user.id).map(here).or_else(by_team);
        let other = shown.get(&user.id).map(here);
        if let (Some(one), Some(other)) = (&one, &other)
            && one != other
        {
            return Some(format!("two lists disagree on the teams of {}", user.email));
        }
        for team in one.or(other).iter().flatten() {
            if let Some((id, _)) = teams.by_id.get_key_value(team) {
                *sizes.entry(id).or_default() += 1;
            }
        }
    }
    teams.counts.iter().find_map(|(id, count)| {
        let team = teams.by_id.get(id)?;
        let members = sizes.get(id).copied().unwrap_or_default();
        let invited =
            invitations.iter().filter(|it| it.teams.as_ref().is_some_and(|in_it| in_it.contains(&team.name)));
        let most = members + counted(&invited.collect::<Vec<_>>());
        (!(members..=most).contains(count))
            .then(|| format!("the team {} says that it has {count} people, and {members} are listed", team.name))
    })
}
