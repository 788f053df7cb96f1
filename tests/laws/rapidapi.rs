//! RapidAPI in the laws.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use rolecall_graphql::Request;
use rolecall_model::May;
use rolecall_sandbox::rapidapi::{
    DeletedTeams, Demotion, Generation, InvitePending, OWN_EMAIL, Refusal, RootFields, StaleRows, Switches, World,
    WorldMember,
};

use crate::lawful::{FileBody, Lawful, LiveSecret, shuffle};
use crate::support::rapidapi::{Hub, acme, invitation, member, world};

const PEOPLE: usize = 5;
/// The teams of the file. The hub may have the second with another form of its letter, and each under a former name.
const TEAMS: &[&str] = &["T0", "Té", "T2"];
const TEAM_ROLES: &[&str] = &["team-admin", "team-developer", "team-viewer"];

/// The ways in which a user can be known to the hub.
#[derive(Clone, Copy, Debug)]
enum Presence {
    No,
    Admin,
    Member,
    Deactivated,
    /// A member who is deactivated in the organisation.
    Suspended,
    Invited,
    InvitedAdmin,
    /// A user of the hub who isn't a member of the organisation.
    Account,
    DeactivatedAccount,
    /// A user of the hub who is invited and isn't a member.
    InvitedAccount,
}

fn switches() -> impl Strategy<Value = Switches> {
    let generation = select(vec![Generation::August2023, Generation::Documented]);
    let answers = (select(vec![Some(true), Some(true), None, Some(false)]), any::<bool>(), any::<bool>());
    let unknown = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let pages = (select(vec![2_usize, 3, 1000]), select(vec!["PENDING", "INVITED", "pending"]));
    (generation, answers, unknown, pages).prop_map(
        |(generation, (booleans, silent, duplicated), (drops, kept, listed, non_members), (page_max, status))| {
            Switches {
                generation,
                root_fields: RootFields::One,
                rate_limit: 0,
                booleans,
                refusal: if silent { Refusal::Null } else { Refusal::Errors },
                invite_pending: if duplicated { InvitePending::Duplicated } else { InvitePending::Refused },
                demotion: if drops { Demotion::DropsTeams } else { Demotion::KeepsTeams },
                stale_rows: if kept { StaleRows::Kept } else { StaleRows::Dropped },
                deleted_teams: if listed { DeletedTeams::Listed } else { DeletedTeams::Hidden },
                add_outsiders: non_members,
                page_max,
                invite_status: status.to_owned(),
                ..Switches::default()
            }
        },
    )
}

/// Generates memberships of teams, each with a role.
fn memberships() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let team = proptest::option::of(select(TEAM_ROLES));
    proptest::collection::vec(team, TEAMS.len())
        .prop_map(|roles| TEAMS.iter().zip(roles).filter_map(|(team, role)| Some((*team, role?))).collect())
}

/// Returns the name that a team had before.
fn former(name: &str) -> String {
    format!("Former {name}")
}

fn hubs() -> impl Strategy<Value = World> {
    let there = prop_oneof![
        3 => Just(Presence::No),
        3 => Just(Presence::Admin),
        6 => Just(Presence::Member),
        1 => Just(Presence::Deactivated),
        1 => Just(Presence::Suspended),
        2 => Just(Presence::Invited),
        1 => Just(Presence::InvitedAdmin),
        1 => Just(Presence::Account),
        1 => Just(Presence::DeactivatedAccount),
        1 => Just(Presence::InvitedAccount),
    ];
    let person = (there, memberships());
    let people = proptest::collection::vec(person, PEOPLE);
    // Seats that are free, if there are only a few.
    let free = proptest::option::weighted(0.5, 0..3_usize);
    let renamed = proptest::collection::vec(proptest::bool::weighted(0.2), TEAMS.len());
    let rest = (free, any::<bool>(), renamed, proptest::bool::weighted(0.1));
    (people, proptest::collection::vec(any::<bool>(), TEAMS.len()), switches(), rest).prop_map(
        |(people, descriptions, switches, (free, decomposed, renamed, both))| {
            let mut world = world();
            let organization = acme(&world);
            let live = |name: &str| {
                let at = TEAMS.iter().position(|team| *team == name).unwrap();
                let name = if renamed[at] { former(name) } else { name.to_owned() };
                name.replace('é', if decomposed { "e\u{301}" } else { "é" })
            };
            if both && !renamed[0] {
                world.add_team(organization, &former(TEAMS[0]));
            }
            for (name, described) in TEAMS.iter().zip(descriptions) {
                let id = world.add_team(organization, &live(name));
                world.team_mut(id).unwrap().description = described.then(|| "as it was".to_owned());
            }
            if switches.page_max == 3 {
                // An account without an address.
                member(&mut world, "", false, &[]);
            }
            for (index, (there, teams)) in people.into_iter().enumerate() {
                let email = format!("u{index}@x.example");
                let names: Vec<String> = teams.iter().map(|(team, _)| live(team)).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let teams: Vec<(&str, &str)> =
                    names.iter().copied().zip(teams.iter().map(|(_, role)| *role)).collect();
                match there {
                    Presence::No => {}
                    Presence::Admin => {
                        member(&mut world, &email, true, &teams);
                    }
                    Presence::Member => {
                        member(&mut world, &email, false, &teams);
                    }
                    Presence::Deactivated => {
                        let id = member(&mut world, &email, false, &teams);
                        "DEACTIVATED".clone_into(&mut world.user_mut(id).unwrap().status);
                    }
                    Presence::Suspended => {
                        let id = member(&mut world, &email, false, &teams);
                        let found = world.organization_mut(organization).unwrap();
                        found.member_mut(id).unwrap().deactivated = true;
                    }
                    Presence::Invited => invitation(&mut world, &email, "DEVELOPER", &names),
                    Presence::InvitedAdmin => invitation(&mut world, &email, "ADMIN", &names),
                    Presence::Account => {
                        world.add_user(&email);
                    }
                    Presence::DeactivatedAccount | Presence::InvitedAccount => {
                        let id = world.add_user(&email);
                        "DEACTIVATED".clone_into(&mut world.user_mut(id).unwrap().status);
                        if matches!(there, Presence::InvitedAccount) {
                            invitation(&mut world, &email, "DEVELOPER", &names);
                        }
                    }
                }
            }
            if let Some(free) = free {
                let found = world.organization_mut(organization).unwrap();
                // There may be more people than seats.
                found.seats = i32::try_from((found.occupied_seats() + free).saturating_sub(1)).unwrap();
            }
            world.mails.clear();
            world.switches = switches;
            world
        },
    )
}

/// The teams in a user's entry: with roles, or only by name.
#[derive(Clone, Debug)]
struct TeamEntries {
    roles: Vec<Option<&'static str>>,
    bare: bool,
}

impl TeamEntries {
    fn text(&self, gone: &BTreeSet<&str>) -> String {
        let named = TEAMS.iter().zip(&self.roles).filter_map(|(team, role)| Some((*team, (*role)?)));
        let named = named.filter(|(team, _)| !gone.contains(team));
        if self.bare {
            let names: Vec<&str> = named.map(|(team, _)| team).collect();
            return format!("[{}]", names.join(", "));
        }
        let entries: Vec<String> = named.map(|(team, role)| format!("{team}: {role}")).collect();
        format!("{{ {} }}", entries.join(", "))
    }
}

fn team_entries() -> impl Strategy<Value = TeamEntries> {
    let role = select(vec!["Team Admin", "team-developer", "Team Viewer"]);
    let roles = proptest::collection::vec(proptest::option::of(role), TEAMS.len());
    (roles, proptest::bool::weighted(0.3)).prop_map(|(roles, bare)| TeamEntries { roles, bare })
}

/// The entry of a user in the file.
#[derive(Clone, Debug)]
struct UserWish {
    email: String,
    /// The fields of the entry other than the teams.
    rest: String,
    teams: Option<TeamEntries>,
}

impl UserWish {
    fn text(&self, gone: &BTreeSet<&str>) -> String {
        let teams = self.teams.as_ref().map(|teams| format!(", teams: {}", teams.text(gone))).unwrap_or_default();
        format!("{{ email: {}{}{teams} }}", self.email, self.rest)
    }
}

fn user_entry(email: &str) -> impl Strategy<Value = Option<UserWish>> + use<> {
    let roles = select(vec![
        "",
        "",
        ", roles: [Organization Admin]",
        ", roles: [Organization Admin]",
        ", roles: [Developer]",
        ", roles: [Developer]",
        ", roles: [Developer]",
        ", roles: [organization-developer]",
        ", roles: []",
    ]);
    let status = |words: &'static [&'static str]| {
        let status = proptest::option::weighted(0.25, select(words));
        status.prop_map(|status| status.map(|status| format!(", status: {status}")).unwrap_or_default())
    };
    let (one, other) = (email.to_owned(), email.to_owned());
    let listed = (roles, status(&["active", "deactivated"]), proptest::option::weighted(0.7, team_entries()))
        .prop_map(move |(roles, status, teams)| {
            Some(UserWish { email: one.clone(), rest: format!("{roles}{status}"), teams })
        });
    let absent = status(&["active", "deactivated", "deleted"]).prop_map(move |status| {
        Some(UserWish { email: other.clone(), rest: format!(", absent: true{status}"), teams: None })
    });
    prop_oneof![
        1 => Just(None),
        2 => absent,
        5 => listed,
    ]
}

/// Generates the entry of a team, and whether it asks for the team's deletion.
fn team_entry(name: &'static str) -> impl Strategy<Value = Option<(String, bool)>> {
    let description = prop_oneof![3 => Just(""), 2 => Just(", description: as wished")];
    let previously = prop_oneof![
        1 => Just(String::new()),
        2 => Just(format!(", previously: [{}]", former(name))),
        1 => Just(format!(", previously: [Older {name}, {}]", former(name))),
    ];
    let listed = (description, previously)
        .prop_map(|(description, previously)| Some((format!("{description}{previously}"), false)));
    prop_oneof![
        2 => Just(None),
        6 => listed,
        1 => Just(Some((", absent: true".to_owned(), true))),
    ]
}

impl Lawful for Hub {
    const GAPS: &'static [&'static str] = &["default role", "expiry of invitations"];
    const UNPLANNABLE: (&'static str, &'static str) =
        ("users", "{ email: broken@x.example, roles: [Developer], teams: [Nowhere] }");
    const BUSY: &'static [&'static str] = &[
        "organization update",
        "team create",
        "team update",
        "team rename",
        "team delete",
        "user invite",
        "user update",
        "user remove",
        "invitation cancel",
    ];

    fn worlds(_: bool) -> BoxedStrategy<World> {
        hubs().boxed()
    }

    fn files() -> BoxedStrategy<FileBody> {
        let users: Vec<_> = (0..PEOPLE).map(|index| user_entry(&format!("U{index}@x.example")).boxed()).collect();
        let new = prop_oneof![2 => Just(None), 1 => Just(Some("{ name: T3, description: new }".to_owned()))];
        let entries: Vec<_> = TEAMS.iter().map(|name| team_entry(name).boxed()).collect();
        let teams = (entries, new);
        let scopes = (
            prop_oneof![2 => Just("listed"), 1 => Just("all")],
            prop_oneof![4 => Just("listed"), 1 => Just("all")],
        );
        let settings = (
            proptest::option::weighted(0.3, prop_oneof![1..12_u32, 9_990..10_010_u32]),
            proptest::option::weighted(0.2, Just("as wished")),
        );
        (users, teams, scopes, (any::<bool>(), settings), 0..4_usize)
            .prop_map(|(users, (teams, new), (of_users, of_teams), (reinvite, (seats, description)), min_admins)| {
                let seats = seats.map(|seats| format!("seats: {seats}"));
                let description = description.map(|text| format!("description: {text}"));
                let settings: Vec<String> = seats.into_iter().chain(description).collect();
                let settings = format!("settings: {{ {} }}", settings.join(", "));
                let listed = TEAMS.iter().zip(teams).filter_map(|(name, team)| Some((*name, team?)));
                let listed: Vec<_> = listed.collect();
                // A file that adds members to a team that it deletes has a finding.
                let goes = |name: &&str| match listed.iter().find(|(team, _)| team == name) {
                    Some((_, (_, absent))) => *absent,
                    None => of_teams == "all",
                };
                let gone: BTreeSet<&str> = TEAMS.iter().copied().filter(goes).collect();
                let users = users.iter().flatten().map(|user| user.text(&gone));
                let teams = listed.iter().map(|(name, (rest, _))| format!("{{ name: {name}{rest} }}")).chain(new);
                FileBody {
                head: format!(
                    "manage: {{ users: {of_users}, teams: {of_teams} }}\nallow: [user-deletion, default-team-deletion]\nreinvite_expired: {reinvite}\n{settings}"
                ),
                lists: vec![
                    ("users", users.chain([format!("{{ email: {OWN_EMAIL} }}")]).collect()),
                    ("teams", teams.collect()),
                ],
                min_admins,
            }})
            .boxed()
    }

    /// Generates organisations in which admins change places and users change teams.
    fn swaps() -> BoxedStrategy<(World, FileBody)> {
        let person = (any::<bool>(), any::<bool>(), memberships(), team_entries());
        let renamed = proptest::bool::weighted(0.3);
        (proptest::collection::vec(person, 2..4), 1..4_usize, switches(), renamed)
            .prop_map(|(people, min_admins, switches, renamed)| {
                let mut world = world();
                let organization = acme(&world);
                let live = |name: &str| if renamed && name == TEAMS[0] { former(name) } else { name.to_owned() };
                for name in TEAMS {
                    world.add_team(organization, &live(name));
                }
                let mut users = vec![format!("{{ email: {OWN_EMAIL} }}")];
                for (index, (is_admin, shall_be, teams, desired)) in people.into_iter().enumerate() {
                    let email = format!("u{index}@x.example");
                    let names: Vec<String> = teams.iter().map(|(team, _)| live(team)).collect();
                    let teams = names.iter().zip(&teams).map(|(name, (_, role))| (&**name, *role));
                    member(&mut world, &email, is_admin, &teams.collect::<Vec<_>>());
                    let role = if shall_be { "Organization Admin" } else { "Developer" };
                    users.push(format!(
                        "{{ email: {email}, roles: [{role}], teams: {} }}",
                        desired.text(&BTreeSet::new())
                    ));
                }
                world.switches = switches;
                let teams = vec![format!("{{ name: {}, previously: [{}] }}", TEAMS[0], former(TEAMS[0]))];
                let lists = vec![("users", users), ("teams", teams)];
                (world, FileBody { head: String::new(), lists, min_admins })
            })
            .boxed()
    }

    fn shuffled(world: &World, seed: u64) -> World {
        let mut shuffled = world.clone();
        shuffle(&mut shuffled.users, seed);
        shuffle(&mut shuffled.assignments, seed);
        shuffle(&mut shuffled.roles, seed);
        for organization in &mut shuffled.organizations {
            shuffle(&mut organization.teams, seed);
            shuffle(&mut organization.members, seed);
            shuffle(&mut organization.invitations, seed);
        }
        shuffled
    }

    fn usable_admins(world: &World) -> usize {
        world.usable_admins(acme(world))
    }

    /// The credentials belong to the owner and to a team that they have to be in.
    fn own_access_works(world: &World) -> bool {
        let own = world.user(OWN_EMAIL).unwrap();
        let key = world.credentials.iter().find_map(|credential| credential.team).unwrap();
        own.status == "ACTIVE" && world.is_org_admin(acme(world), own.id) && world.is_in_team(key, own.id)
    }

    /// Returns the access from roles in the organisation and from team memberships. Roles in teams don't count,
    /// because none of them includes another.
    fn access(world: &World) -> BTreeMap<String, BTreeSet<String>> {
        let found = world.organization("acme").unwrap();
        let mut access = BTreeMap::new();
        for (user, held) in world.team_access(found.id) {
            let mut words: BTreeSet<String> =
                held.iter().filter_map(|held| held.split(" @ ").nth(1)).map(ToOwned::to_owned).collect();
            words.insert("member".to_owned());
            if world.is_org_admin(found.id, user.parse().unwrap()) {
                words.insert("administrate".to_owned());
            }
            access.insert(user, words);
        }
        access
    }

    fn may(world: &World) -> Vec<(String, BTreeSet<String>)> {
        let found = world.organization("acme").unwrap();
        let access = world.team_access(found.id);
        let named = |held: &str| {
            let (key, team) = held.split_once(" @ ").unwrap();
            let role = &world.roles.iter().find(|role| role.key == key).unwrap().name;
            format!("{role} @ team/{}", found.team(team.parse().unwrap()).unwrap().name)
        };
        let may = |member: &WorldMember| {
            let user = world.user_by_id(member.user)?;
            let email = user.email.to_lowercase();
            let Some(held) = access.get(&user.id.to_string()) else { return Some((email, BTreeSet::new())) };
            let administrates = world.is_org_admin(found.id, user.id);
            let role = if administrates { "Organization Admin" } else { "Developer" };
            let mut may: BTreeSet<String> = held.iter().map(|held| named(held)).collect();
            may.insert(format!("{role} @ organization"));
            Some((email, may))
        };
        found.members.iter().filter_map(may).collect()
    }

    fn invited(world: &World) -> Vec<String> {
        let found = world.organization("acme").unwrap();
        found.invitations.iter().map(|invitation| invitation.email.to_lowercase()).collect()
    }

    fn word(may: &May) -> String {
        match may {
            // An admin of the organisation is an admin of each team.
            May::Administrate => "Team Admin".to_owned(),
            may => may.to_string(),
        }
    }

    fn mails(world: &World) -> Vec<String> {
        world.mails.iter().map(|mail| mail.to_lowercase()).collect()
    }

    fn live_secrets(_: &World) -> Vec<LiveSecret> {
        Vec::new()
    }

    /// Makes a count wrong, or a list end too early.
    fn break_users(world: &mut World, how: u8) {
        let off = if how.is_multiple_of(2) { 50 } else { -50 };
        match how % 4 {
            0 | 1 => world.switches.total_off_by = off,
            _ => world.switches.users_count_off_by = off,
        }
    }

    fn emails(world: &World) -> BTreeSet<String> {
        let found = world.organization("acme").unwrap();
        let members = found.members.iter().filter_map(|member| world.user_by_id(member.user));
        members.map(|user| user.email.to_lowercase()).collect()
    }

    fn carries_whole_value(request: &Request) -> Result<(), String> {
        let variables = &request.variables;
        let wanted: &[&str] = match request.operation_name {
            "CreateUserInvites" => &["email", "organizationId", "role", "teamIds"],
            "UpdateUserRoles" => &["entityId", "orgId", "roleId"],
            "UpsertEntityRole" => &["entityId", "orgId", "parentId", "roleId"],
            "UpdateTeamUser" => &["orgId", "teamToRemove", "teamUserId"],
            "UpdateUser" => &["id", "status"],
            _ => return Ok(()),
        };
        let fields: Vec<&String> = variables["input"].as_object().unwrap().keys().collect();
        if fields == wanted { Ok(()) } else { Err(format!("{variables}")) }
    }
}

crate::laws!(Hub);
