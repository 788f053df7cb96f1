//! The work grows with what it is about, and not faster: twice as many entities take about twice as many steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::support::rig::{desired, now};
use crate::support::{bitpanda, hive, paradime, rapidapi};
use rolecall_engine::ledger::{Event, Record, facts};
use rolecall_model::{
    Address, AssignableRole, AssignableRoles, Completeness, Email, Facts, HoldReason, KeyName, Kind, KnownMember,
    Listing, Live, LiveInvitation, LiveKey, LiveRole, LiveTeam, LiveUser, NotTaken, OrganizationPlan, Outcome,
    Permission, ProviderName, RemoteId, Resources, RoleName, Sealed, Site, TeamName, UnreadableRow, steps,
};
use rolecall_plan::{PlanInput, current_entity, mutation_in_effect, plan, renamed};
use rolecall_sandbox::hive::Assignment;

/// The size of the cases that are the most likely ones, and that of the others.
const MANY: usize = 2_000;
const SOME: usize = 200;

/// Twice as many entities may take so many hundredths of the steps: sorting takes a little more than twice as many.
const MOST: u64 = 240;

/// An organisation: its file and what is live.
struct Case {
    provider: ProviderName,
    yaml: String,
    live: Live,
    facts: Facts,
}

impl Case {
    /// Returns the plan, and the steps of planning and of looking whether each mutation is in effect.
    fn planned(&self) -> (OrganizationPlan, u64) {
        let desired = desired(&self.yaml);
        let before = steps();
        let rules = rolecall_providers::rules(self.provider);
        let input = PlanInput {
            desired: &desired,
            live: &self.live,
            facts: &self.facts,
            rules,
            site: &Site::host("x.example"),
            asserted: &BTreeSet::new(),
            only: None,
            approved: None,
            caller: None,
            now: now(),
        };
        let plan = plan(&input).unwrap_or_else(|findings| panic!("{:#?}", findings.first())).plan;
        let live = renamed(&desired, &self.live);
        for mutation in &plan.sealed.mutations {
            let change = plan.change(&mutation.change).unwrap();
            mutation_in_effect(mutation, change, None, &live, rules);
            current_entity(change, None, &live);
        }
        (plan, steps() - before)
    }
}

/// Checks that twice as many entities take about twice as many steps. Each entity is changed or held.
fn grows(name: &str, few: usize, case: impl Fn(usize) -> Case) {
    let steps = |count| {
        let (plan, steps) = case(count).planned();
        let Sealed { changes, holds, .. } = plan.sealed;
        assert!(changes.len().max(holds.len()) >= count, "{name}: {} {}", changes.len(), holds.len());
        steps
    };
    compare(name, steps(few), steps(2 * few));
}

/// Checks that twice as many entities took about twice as many steps.
fn compare(name: &str, few: u64, many: u64) {
    assert!(many * 100 <= few * MOST, "{name}: {few} steps, and {many} for twice as many");
}

fn email(index: usize) -> String {
    format!("person{index:05}@x.example")
}

fn listing<T>(count: usize, item: impl FnMut(usize) -> T) -> Listing<T> {
    Listing { items: (0..count).map(item).collect(), completeness: Completeness::Proven }
}

fn id(index: usize) -> RemoteId {
    RemoteId::seen(format!("id-{index:05}"))
}

fn roles(role: &str) -> BTreeSet<RoleName> {
    BTreeSet::from([RoleName::seen(role)])
}

fn entries(list: &str, count: usize, entry: impl Fn(usize) -> String) -> String {
    let mut text = format!("{list}:\n");
    (0..count).for_each(|index| {
        let _ = writeln!(text, "  - {{ {} }}", entry(index));
    });
    text
}

fn user(index: usize, role: &str) -> LiveUser {
    LiveUser {
        resources: Some(Resources::All),
        ..LiveUser::of(id(index), Email::seen(&email(index)), roles(role))
    }
}

fn role(index: usize, name: &str) -> LiveRole {
    LiveRole {
        id: id(index),
        name: RoleName::seen(name),
        renamed_from: None,
        description: "About it".to_owned(),
        permissions: BTreeSet::from([Permission::seen("project:describe")]),
        locked: false,
    }
}

fn key(index: usize, name: &str) -> LiveKey {
    LiveKey {
        id: id(index),
        name: KeyName::seen(name),
        description: None,
        roles: Some(roles("SIGNER")),
        permissions: None,
        resources: None,
        expires: None,
        created: None,
        enabled: true,
    }
}

fn own_key() -> Listing<LiveKey> {
    listing(1, |_| LiveKey { id: RemoteId::seen("own"), roles: Some(roles("ADMIN")), ..key(0, "own") })
}

fn custody(body: &str, users: Listing<LiveUser>) -> Case {
    let live = Live { keys: Some(own_key()), ..Live::of(RemoteId::seen("org-1"), users) };
    Case {
        provider: ProviderName::Bitpanda,
        yaml: format!("{}{body}", bitpanda::HEAD),
        live,
        facts: Facts::default(),
    }
}

fn console(body: &str, users: Listing<LiveUser>) -> Case {
    let live = Live {
        invitations: Some(listing(0, |_| open(0))),
        roles: Some(listing(2, |index| role(index, ["Before", "After"][index]))),
        keys: Some(listing(0, |_| key(0, ""))),
        ..Live::of(RemoteId::seen("acme"), users)
    };
    Case { provider: ProviderName::Hive, yaml: format!("{}{body}", hive::HEAD), live, facts: Facts::default() }
}

fn open(index: usize) -> LiveInvitation {
    LiveInvitation {
        email: Email::seen(&email(index)),
        role: RoleName::seen("Before"),
        created: Some(now()),
        teams: None,
        expired: false,
    }
}

#[test]
fn changes() {
    grows("bitpanda updates", MANY, |count| {
        let body =
            entries("users", count, |index| format!("email: {}, roles: [SIGNER], enabled: true", email(index)));
        custody(&body, listing(count, |index| user(index, "OPS")))
    });
    grows("bitpanda in sync", SOME, |count| {
        let body = entries("users", count, |index| format!("email: {}, roles: [SIGNER]", email(index)));
        let body = body + &entries("keys", count, |index| format!("name: key {index}, absent: true"));
        let mut case = custody(&body, listing(count, |index| user(index, "SIGNER")));
        case.live.keys = Some(listing(count, |index| key(index, &format!("key {index}"))));
        case.live.keys.as_mut().unwrap().items.extend(own_key().items);
        case
    });
    grows("bitpanda invites", SOME, |count| {
        let body = entries("users", count, |index| {
            format!("email: {}, first_name: A, last_name: B, roles: [SIGNER], enabled: true", email(index))
        });
        custody(&body, listing(0, |index| user(index, "OPS")))
    });
    grows("hive updates", MANY, |count| {
        let body = entries("users", count, |index| format!("email: {}, roles: [After]", email(index)));
        console(&body, listing(count, |index| user(index, "Before")))
    });
    grows("hive invites", SOME, |count| {
        let body =
            entries("users", count, |index| format!("email: {}, roles: [After], resources: all", email(index)));
        console(&body, listing(0, |index| user(index, "Before")))
    });
    grows("hive corrects invitations", SOME, |count| {
        let body =
            entries("users", count, |index| format!("email: {}, roles: [After], resources: all", email(index)));
        let mut case = console(&body, listing(0, |index| user(index, "Before")));
        case.live.invitations = Some(listing(count, open));
        case
    });
    grows("hive cancels invitations", SOME, |count| {
        let body = entries("users", count, |index| format!("email: {}, absent: true", email(index)));
        let mut case = console(&body, listing(0, |index| user(index, "Before")));
        case.live.invitations = Some(listing(count, open));
        case
    });
}

#[test]
fn roles_and_their_holders() {
    grows("hive updates roles, one holder each", MANY, |count| {
        let body = entries("roles", count, |index| {
            format!("name: Role {index}, permissions: [project:describe, schemaCheck:approve]")
        });
        let mut case = console(&body, listing(count, |index| user(index, &format!("Role {index}"))));
        case.live.roles = Some(listing(count, |index| role(index, &format!("Role {index}"))));
        case
    });
    grows("hive narrows roles and moves holders", SOME, |count| {
        let body =
            entries("roles", count, |index| format!("name: Role {index}, permissions: [schemaCheck:approve]"));
        let body = body
            + &entries("users", count, |index| {
                format!("email: {}, roles: [Role {}]", email(index), (index + 1) % count)
            });
        let mut case = console(&body, listing(count, |index| user(index, &format!("Role {index}"))));
        case.live.roles = Some(listing(count, |index| role(index, &format!("Role {index}"))));
        case
    });
    grows("hive creates roles with members", SOME, |count| {
        let body = entries("roles", count, |index| {
            format!("name: Role {index}, description: About, permissions: [project:describe]")
        });
        let body =
            body + &entries("users", count, |index| format!("email: {}, roles: [Role {index}]", email(index)));
        console(&body, listing(count, |index| user(index, "Before")))
    });
    grows("hive deletes roles", SOME, |count| {
        let body = entries("roles", count, |index| format!("name: Role {index}, absent: true"));
        let body = body + &entries("users", count, |index| format!("email: {}, roles: [After]", email(index)));
        let mut case = console(&body, listing(count, |index| user(index, &format!("Role {index}"))));
        case.live
            .roles
            .as_mut()
            .unwrap()
            .items
            .extend((0..count).map(|index| role(index + 2, &format!("Role {index}"))));
        case
    });
    grows("hive renames roles", SOME, |count| {
        let body = entries("roles", count, |index| format!("name: New {index}, previously: [Role {index}]"));
        let mut case = console(&body, listing(count, |index| user(index, &format!("Role {index}"))));
        case.live.roles = Some(listing(count, |index| role(index, &format!("Role {index}"))));
        case
    });
    grows("hive unlisted roles", SOME, |count| {
        let mut case = console("manage: { roles: all }\n", listing(count, |index| user(index, "Before")));
        case.live
            .roles
            .as_mut()
            .unwrap()
            .items
            .extend((0..count).map(|index| role(index + 2, &format!("Role {index}"))));
        case
    });
}

#[test]
fn what_is_held() {
    grows("bitpanda invited long ago", SOME, |count| {
        let body = entries("users", count, |index| {
            format!("email: {}, first_name: A, last_name: B, roles: [SIGNER], enabled: true", email(index))
        });
        let mut case = custody(&body, listing(0, |index| user(index, "OPS")));
        case.facts.members = (0..count)
            .map(|index| (id(index), KnownMember { email: Email::seen(&email(index)), since: now() }))
            .collect();
        case
    });
    grows("bitpanda not taken", MANY, |count| {
        let body =
            entries("users", count, |index| format!("email: {}, roles: [SIGNER], enabled: true", email(index)));
        let mut case = custody(&body, listing(count, |index| user(index, "OPS")));
        let (planned, _) = case.planned();
        case.facts.not_taken = planned
            .sealed
            .changes
            .into_iter()
            .map(|change| (change.address.clone(), NotTaken { at: now(), change, left_as: None }))
            .collect();
        case
    });
    grows("hive unreadable rows", SOME, |count| {
        let body = entries("users", count, |index| format!("email: {}, roles: [After]", email(index)));
        let mut case = console(&body, listing(0, |index| user(index, "Before")));
        case.live.unreadable = (0..count)
            .map(|index| UnreadableRow {
                address: Address::user(&Email::seen(&email(index))).with_id(&id(index)),
                why: "`role` is missing".to_owned(),
                roles: BTreeSet::new(),
            })
            .collect();
        case
    });
    grows("bitpanda nothing to disable", SOME, |count| {
        let body = entries("users", count, |index| format!("email: other{}, enabled: false", email(index)));
        let body = format!("manage: {{ users: all }}\n{body}");
        custody(&body, listing(count, |index| user(index, "OPS")))
    });
}

#[test]
fn namesakes_and_keys() {
    grows("bitpanda users with one address", MANY, |count| {
        let body = "manage: { users: all }\n".to_owned();
        custody(
            &body,
            listing(count, |index| LiveUser { email: Email::seen("a@x.example"), ..user(index, "OPS") }),
        )
    });
    grows("bitpanda keys with one name", MANY, |count| {
        let body = "keys: [{ name: ci, absent: true }]\n".to_owned();
        let mut case = custody(&body, listing(0, |index| user(index, "OPS")));
        case.live.keys = Some(listing(count, |index| key(index, "ci")));
        case.live.keys.as_mut().unwrap().items.extend(own_key().items);
        case
    });
    grows("bitpanda new keys", SOME, |count| {
        let body = entries("keys", count, |index| {
            format!(
                "name: ci {index}, roles: [SIGNER], expires: 2031-01-01T00:00:00Z, deliver: {{ file: k{index} }}"
            )
        });
        custody(&body, listing(0, |index| user(index, "OPS")))
    });
    grows("paradime updates", SOME, |count| {
        let body = entries("users", count, |index| format!("email: {}, roles: [BUSINESS]", email(index)));
        Case {
            provider: ProviderName::Paradime,
            yaml: format!("{}{body}", paradime::HEAD.replace("own: { user: own@x.example }\n", "")),
            live: Live {
                invitations: Some(listing(0, |_| open(0))),
                ..Live::of(RemoteId::seen("analytics0000000"), listing(count, |index| user(index, "ANALYST")))
            },
            facts: Facts::default(),
        }
    });
}

#[test]
fn teams_and_their_members() {
    let hub = |count: usize, body: String| {
        let assignable = |number: usize, name: &str, default: bool, admin: bool| AssignableRole {
            id: id(number),
            name: RoleName::seen(name),
            raw_name: RoleName::seen(name),
            key: name.to_owned(),
            default,
            admin,
        };
        let live = Live {
            invitations: Some(listing(0, |_| open(0))),
            assignable: Some(AssignableRoles {
                organization: vec![assignable(1, "Developer", true, false), assignable(2, "Admin", false, true)],
                team: vec![assignable(3, "Viewer", true, false)],
            }),
            teams: Some(listing(count, |index| LiveTeam {
                id: RemoteId::seen(format!("{}", index + 10)),
                name: TeamName::seen(format!("Team {index}")),
                raw_name: TeamName::seen(format!("Team {index}")),
                renamed_from: None,
                description: None,
                thumbnail: None,
                default: false,
            })),
            organization_id: Some(RemoteId::seen("1")),
            ..Live::of(
                RemoteId::seen("acme"),
                listing(count, |index| LiveUser {
                    id: RemoteId::seen(format!("{}", 100_000 + index)),
                    teams: Some(BTreeMap::from([(
                        TeamName::seen(format!("Team {index}")),
                        Some(RoleName::seen("Viewer")),
                    )])),
                    ..user(index, "Developer")
                }),
            )
        };
        Case {
            provider: ProviderName::Rapidapi,
            yaml: format!("{}admin_role: Admin\nchanges_with: team_key\n{body}", rapidapi::HEAD),
            live,
            facts: Facts::default(),
        }
    };
    grows("rapidapi updates teams", MANY, |count| {
        hub(count, entries("teams", count, |index| format!("name: Team {index}, description: New")))
    });
    grows("rapidapi creates teams", SOME, |count| {
        hub(0, entries("teams", count, |index| format!("name: Team {index}, description: New")))
    });
    grows("rapidapi renames teams", SOME, |count| {
        hub(count, entries("teams", count, |index| format!("name: New {index}, previously: [Team {index}]")))
    });
    grows("rapidapi deletes teams", SOME, |count| {
        hub(count, entries("teams", count, |index| format!("name: Team {index}, absent: true")))
    });
    grows("rapidapi moves users", SOME, |count| {
        hub(
            count,
            entries("users", count, |index| {
                format!("email: {}, teams: [Team {}]", email(index), (index + 1) % count)
            }),
        )
    });
}

/// What the ledger tells, with a mutation of each kind that something is looked up for.
#[test]
fn a_ledger() {
    let took = |count| {
        let body = entries("keys", count, |index| {
            format!(
                "name: ci {index}, roles: [SIGNER], expires: 2031-01-01T00:00:00Z, deliver: {{ file: k{index} }}"
            )
        });
        let users =
            entries("users", count, |index| format!("email: {}, roles: [SIGNER], enabled: true", email(index)));
        let case = custody(&(body + &users), listing(count, |index| user(index, "OPS")));
        let mut records = Vec::new();
        for (index, change) in case.planned().0.sealed.changes.into_iter().enumerate() {
            let (mutation, address) = (format!("m{index}"), change.address.clone());
            let is_key = address.kind == Kind::Key;
            let (outcome, id) = if is_key { (Outcome::Done, Some(id(index))) } else { (Outcome::NotTaken, None) };
            let change = Box::new(change);
            let (operation, known) = ("operation".to_owned(), BTreeSet::new());
            records.push(Event::Intent {
                mutation: mutation.clone(),
                operation,
                change,
                known,
                first_step: false,
            });
            let answered = (address.clone(), id.clone());
            records.push(Event::Outcome {
                mutation,
                address: answered.0,
                outcome,
                refused: false,
                id: answered.1,
                message: None,
            });
            records.push(match id {
                Some(id) => Event::Delivery {
                    mutation: String::new(),
                    address,
                    id,
                    arrived: true,
                    begun: false,
                    to: Vec::new(),
                    not_to: Vec::new(),
                    fingerprint: None,
                    encrypted: BTreeMap::new(),
                },
                None => Event::Held { address, reason: HoldReason::NoMutation },
            });
        }
        let record = |event| Record { at: now(), run: "run".to_owned(), event };
        let records: Vec<Record> = records.into_iter().map(record).collect();
        let before = steps();
        let facts = facts(&records);
        assert_eq!((facts.held.len(), facts.not_taken.len(), facts.minted.len()), (count, count, count));
        steps() - before
    };
    compare("ledger", took(SOME), took(2 * SOME));
}

/// Sending and looking afterwards.
#[test]
fn an_apply() {
    let took = |count| {
        let mut world = hive::world();
        for index in 0..count {
            hive::member(&mut world, &email(index), "Viewer", Assignment::All);
        }
        let body =
            entries("users", count, |index| format!("email: {}, roles: [Admin], resources: all", email(index)));
        let mut rig = hive::Rig::new(world, &body);
        let before = steps();
        assert!(rig.apply().all_done());
        steps() - before
    };
    compare("apply", took(SOME), took(2 * SOME));
}
