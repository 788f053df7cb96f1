//! GraphQL Hive in the laws.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::subsequence;
use rolecall_graphql::Request;
use rolecall_model::{Ability, Level, May};
use rolecall_plan::access::{Access, Holder};
use rolecall_sandbox::digest;
use rolecall_sandbox::hive::{
    AssignedProject, AssignedTarget, Assignment, OWN_CREDENTIAL, Paging, Release, Scope, World, WorldToken,
};
use serde_json::{Value, json};

use crate::access::what_changes_is_the_difference;
use crate::lawful::{FileBody, Lawful, LiveSecret, shuffle};
use crate::planned;
use crate::support::hive::{Console, invitation, member, role, uuid, world};

/// The roles of the file. The platform may have the second with another form of its letter, and each under a former name.
const CUSTOM: &[&str] = &["Developer", "Relëase", "Ops"];
const PERMISSIONS: &[&str] =
    &["laboratory:describe", "member:describe", "member:modify", "project:describe", "schemaCheck:approve"];
const TOKEN_PERMISSIONS: &[&str] = &["project:describe", "schemaVersion:publish", "usage:report"];
const PEOPLE: usize = 6;
const TITLES: &[&str] = &["backend", "ci pipeline"];
const PROJECTS: &[&str] = &["shop", "blog", "mobile"];
const TARGETS: &[&str] = &["production", "staging"];

fn permissions() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(PERMISSIONS, 0..=PERMISSIONS.len())
}

fn role_name() -> impl Strategy<Value = &'static str> {
    prop_oneof![2 => Just("Admin"), 2 => Just("Viewer"), 2 => Just("Developer"), 1 => Just("Relëase"), 1 => Just("Ops")]
}

/// Generates a list of names, or `None` for all of them.
fn names(known: &'static [&'static str]) -> BoxedStrategy<Option<Vec<&'static str>>> {
    prop_oneof![1 => Just(None), 2 => subsequence(known, 0..=known.len()).prop_map(Some)].boxed()
}

/// The grant of a target: its services and its app deployments. `None` grants all.
type Grant = Option<(Option<Vec<&'static str>>, Option<Vec<&'static str>>)>;
/// A tree of grants: projects, and targets in them. `None` grants all.
type Tree = Option<Vec<(&'static str, Option<Vec<(&'static str, Grant)>>)>>;

fn tree() -> impl Strategy<Value = Tree> {
    let grant = || proptest::option::of((names(&["cart", "users"]), names(&["ios-app", "web"])));
    let target = move |name: &'static str| grant().prop_map(move |grant| (name, grant));
    let targets = move || {
        let each: Vec<_> = TARGETS.iter().map(|name| proptest::option::of(target(name))).collect();
        proptest::option::of(each.prop_map(|targets| targets.into_iter().flatten().collect::<Vec<_>>()))
    };
    let projects: Vec<_> = PROJECTS
        .iter()
        .map(|slug| proptest::option::of(targets().prop_map(move |targets| (*slug, targets))))
        .collect();
    proptest::option::of(projects.prop_map(|projects| projects.into_iter().flatten().collect()))
}

/// Converts a tree to the platform's stored form. Projects with a single schema have no services to select.
/// `repeat` adds duplicates, which have no meaning.
fn stored(tree: &Tree, repeat: bool) -> Assignment {
    let Some(projects) = tree else { return Scope::All };
    let words = |names: &Option<Vec<&'static str>>| match names {
        Some(names) => Scope::Granular(names.iter().rev().map(ToString::to_string).collect()),
        None => Scope::All,
    };
    let mut stored = Vec::new();
    for (slug, targets) in projects.iter().rev() {
        let targets = match targets {
            None => Scope::All,
            Some(targets) => Scope::Granular(
                targets
                    .iter()
                    .map(|(name, grant)| {
                        let (services, apps) = match grant {
                            Some((services, apps)) => (words(services), words(apps)),
                            None => (Scope::All, Scope::All),
                        };
                        let services = if *slug == "blog" { Scope::All } else { services };
                        AssignedTarget { id: uuid(&format!("{slug}/{name}")), services, app_deployments: apps }
                    })
                    .collect(),
            ),
        };
        let project = AssignedProject { id: uuid(slug), targets };
        if repeat {
            stored.push(project.clone());
        }
        stored.push(project);
    }
    Scope::Granular(stored)
}

/// Converts a tree to YAML.
fn written(tree: &Tree) -> String {
    let Some(projects) = tree else { return "all".to_owned() };
    let words = |field: &str, names: &Option<Vec<&'static str>>| match names {
        Some(names) if names.is_empty() => String::new(),
        Some(names) => format!("{field}: [{}], ", names.join(", ")),
        None => format!("{field}: all, "),
    };
    let project = |(slug, targets): &(&str, Option<Vec<(&str, Grant)>>)| {
        let Some(targets) = targets else { return format!("{slug}: all") };
        let target = |(name, grant): &(&str, Grant)| match grant {
            None => format!("{name}: all"),
            Some((_, apps)) if *slug == "blog" => {
                format!("{name}: {{ services: all, {} }}", words("app_deployments", apps))
            }
            Some((services, apps)) => {
                format!("{name}: {{ {}{} }}", words("services", services), words("app_deployments", apps))
            }
        };
        format!("{slug}: {{ {} }}", targets.iter().map(target).collect::<Vec<_>>().join(", "))
    };
    format!("{{ {} }}", projects.iter().map(project).collect::<Vec<_>>().join(", "))
}

fn token(index: usize, title: &str, permissions: &[&str], resources: Assignment) -> WorldToken {
    WorldToken {
        id: uuid(&format!("token/{index}")),
        title: title.to_owned(),
        description: String::new(),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        resources,
        digest: digest(&format!("live-{index}")),
        first_characters: "hvo1/xxxxx".to_owned(),
        created_at: "2025-01-01T00:00:00Z".parse().unwrap(),
    }
}

/// Returns the name that a role had before.
fn former(name: &str) -> String {
    format!("Former {name}")
}

/// Generates the names under which the platform has a role: its own, its former one, or both.
fn names_of_role(name: &'static str) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        4 => Just(vec![name.to_owned()]),
        3 => Just(vec![former(name)]),
        1 => Just(vec![name.to_owned(), former(name)]),
    ]
}

fn organisations() -> impl Strategy<Value = World> {
    let roles: Vec<_> =
        CUSTOM.iter().map(|name| proptest::option::of((permissions(), names_of_role(name)))).collect();
    let person = (any::<bool>(), role_name(), tree(), any::<bool>());
    let invited = (any::<bool>(), role_name(), any::<bool>());
    let keys = proptest::collection::vec(
        (0..TITLES.len(), subsequence(TOKEN_PERMISSIONS, 0..=TOKEN_PERMISSIONS.len()), tree()),
        0..3,
    );
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::weighted(0.1, permissions()));
    (roles, proptest::collection::vec(person, PEOPLE), proptest::collection::vec(invited, 2), keys, switches)
        .prop_map(|(roles, people, invited, keys, (old, gateway, decomposed, fillers))| {
            let mut world = world();
            let live = |name: &str| name.replace('ë', if decomposed { "e\u{308}" } else { "ë" });
            for (permissions, names) in roles.into_iter().flatten() {
                for name in names {
                    role(&mut world, &live(&name), &permissions);
                }
            }
            let known = |world: &World, name: &str| {
                let mut names = [live(name), live(&former(name))].into_iter();
                names.find(|name| world.role(name).is_some()).unwrap_or_else(|| "Viewer".to_owned())
            };
            for (index, (there, name, tree, repeat)) in people.into_iter().enumerate() {
                let name = known(&world, name);
                if there {
                    member(&mut world, &format!("u{index}@x.example"), &name, stored(&tree, repeat));
                }
            }
            if gateway {
                // An account without an address.
                member(&mut world, "", "Viewer", Assignment::All);
            }
            for (index, (there, name, shouted)) in invited.into_iter().enumerate() {
                // The first may be a member; the second never is.
                let email = format!("u{}@x.example", PEOPLE - 1 + index);
                let name = known(&world, name);
                if there && world.member(&email).is_none() {
                    invitation(&mut world, &if shouted { email.to_uppercase() } else { email }, &name);
                }
            }
            for (index, (title, permissions, tree)) in keys.into_iter().enumerate() {
                world.tokens.push(token(index, TITLES[title], &permissions, stored(&tree, false)));
            }
            // With so many roles the list is cut off, and it may lack any of them.
            for index in 0..if fillers.is_some() { 50 } else { 0 } {
                role(&mut world, &format!("Filler {index:02}"), fillers.as_deref().unwrap_or_default());
            }
            world.switches.release = if old { Release::V8_1_2 } else { Release::Newest };
            world.switches.app_deployments_kept = true;
            world.switches.gateway = gateway;
            world
        })
}

fn user_entry(index: usize) -> impl Strategy<Value = Option<String>> {
    let listed = (proptest::option::weighted(0.8, role_name()), proptest::option::weighted(0.8, tree())).prop_map(
        move |(role, tree)| {
            let role = role.map(|role| format!(", roles: [{role}]")).unwrap_or_default();
            let resources = tree.map(|tree| format!(", resources: {}", written(&tree))).unwrap_or_default();
            Some(format!("{{ email: U{index}@x.example{role}{resources} }}"))
        },
    );
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(format!("{{ email: u{index}@x.example, absent: true }}"))),
        4 => listed,
    ]
}

fn role_entry(name: &'static str) -> impl Strategy<Value = Option<String>> {
    let previously = prop_oneof![
        1 => Just(String::new()),
        2 => Just(format!(", previously: [{}]", former(name))),
        1 => Just(format!(", previously: [Older {name}, {}]", former(name))),
    ];
    let listed = (permissions(), previously).prop_map(move |(permissions, previously)| {
        let permissions = permissions.join(", ");
        Some(format!("{{ name: {name}{previously}, description: About {name}, permissions: [{permissions}] }}"))
    });
    prop_oneof![2 => Just(None), 5 => listed]
}

fn key_entry(title: &'static str) -> impl Strategy<Value = Option<String>> {
    let permissions = subsequence(TOKEN_PERMISSIONS, 0..=TOKEN_PERMISSIONS.len());
    let listed = (permissions, tree()).prop_map(move |(permissions, tree)| {
        let (permissions, resources) = (permissions.join(", "), written(&tree));
        let file = title.replace(' ', "-");
        Some(format!(
            "{{ name: {title}, permissions: [{permissions}], resources: {resources}, deliver: {{ file: {file} }} }}"
        ))
    });
    prop_oneof![2 => Just(None), 1 => Just(Some(format!("{{ name: {title}, absent: true }}"))), 3 => listed]
}

/// Generates organisations in which roles change while their holders move to other roles.
fn role_swaps() -> BoxedStrategy<(World, FileBody)> {
    let names = ["Developer", "Release", "Admin"];
    let sets = || proptest::collection::vec(permissions(), 2);
    let moves = proptest::collection::vec((0..names.len(), 0..names.len(), tree()), 2..5);
    let renamed = proptest::collection::vec(proptest::bool::weighted(0.3), 2);
    (sets(), sets(), moves, 1..4_usize, renamed)
        .prop_map(move |(before, after, moves, min_admins, renamed)| {
            let mut world = world();
            let mut roles = Vec::new();
            let live = |at: usize| {
                if renamed.get(at) == Some(&true) { former(names[at]) } else { names[at].to_owned() }
            };
            for (index, name) in names[..2].iter().enumerate() {
                role(&mut world, &live(index), &before[index]);
                let permissions = after[index].join(", ");
                roles.push(format!(
                    "{{ name: {name}, previously: [{}], permissions: [{permissions}] }}",
                    former(name)
                ));
            }
            let mut users = Vec::new();
            for (index, (from, to, tree)) in moves.into_iter().enumerate() {
                let email = format!("u{index}@x.example");
                member(&mut world, &email, &live(from), stored(&tree, false));
                users.push(format!("{{ email: {email}, roles: [{}] }}", names[to]));
            }
            (world, FileBody { head: String::new(), lists: vec![("roles", roles), ("users", users)], min_admins })
        })
        .boxed()
}

/// Generates organisations in which admins change places.
fn admin_swaps() -> BoxedStrategy<(World, FileBody)> {
    let person = (any::<bool>(), any::<bool>());
    (proptest::collection::vec(person, 0..3), 2..4_usize)
        .prop_map(|(others, min_admins)| {
            let people: Vec<(bool, bool)> = [(true, false), (false, true)].into_iter().chain(others).collect();
            let mut world = world();
            let mut users = Vec::new();
            for (index, (is_admin, shall_be)) in people.into_iter().enumerate() {
                let email = format!("u{index}@x.example");
                member(&mut world, &email, if is_admin { "Admin" } else { "Viewer" }, Assignment::All);
                let role = if shall_be { "Admin" } else { "Viewer" };
                users.push(format!("{{ email: {email}, roles: [{role}] }}"));
            }
            (world, FileBody { head: String::new(), lists: vec![("users", users)], min_admins })
        })
        .boxed()
}

impl Lawful for Console {
    const GAPS: &'static [&'static str] = &["resources of invitations", "provisioned", "access tokens"];
    const UNPLANNABLE: (&'static str, &'static str) =
        ("users", "{ email: broken@x.example, roles: [Viewer], resources: { nowhere: all } }");
    const BUSY: &'static [&'static str] = &[
        "role create",
        "role update",
        "role rename",
        "user invite",
        "user update",
        "user remove-access",
        "invitation cancel",
        "key create",
        "key delete",
    ];

    fn worlds(_: bool) -> BoxedStrategy<World> {
        organisations().boxed()
    }

    fn files() -> BoxedStrategy<FileBody> {
        let roles: Vec<_> = CUSTOM.iter().map(|name| role_entry(name).boxed()).collect();
        let users: Vec<_> = (0..=PEOPLE).map(|index| user_entry(index).boxed()).collect();
        let keys: Vec<_> = TITLES.iter().map(|title| key_entry(title).boxed()).collect();
        let scope = || prop_oneof![3 => Just("listed"), 1 => Just("all")];
        (roles, users, keys, (scope(), scope()), any::<bool>(), 0..4_usize)
            .prop_map(|(roles, users, keys, (all_roles, all_users), reinvite, min_admins)| FileBody {
                head: format!(
                    "manage: {{ roles: {all_roles}, users: {all_users} }}\nreinvite_expired: {reinvite}"
                ),
                lists: vec![
                    ("roles", roles.into_iter().flatten().collect()),
                    ("users", users.into_iter().flatten().collect()),
                    ("keys", keys.into_iter().flatten().collect()),
                ],
                min_admins,
            })
            .boxed()
    }

    fn swaps() -> BoxedStrategy<(World, FileBody)> {
        prop_oneof![role_swaps(), admin_swaps()].boxed()
    }

    fn remove_unknowable(world: &mut World) {
        world.roles.retain(|role| !role.name.starts_with("Filler"));
    }

    fn shuffled(world: &World, seed: u64) -> World {
        let mut shuffled = world.clone();
        shuffle(&mut shuffled.roles, seed);
        shuffle(&mut shuffled.members, seed);
        shuffle(&mut shuffled.invitations, seed);
        shuffle(&mut shuffled.projects, seed);
        shuffle(&mut shuffled.tokens, seed);
        for member in &mut shuffled.members {
            if let Scope::Granular(projects) = &mut member.resources {
                shuffle(projects, seed);
            }
        }
        shuffled
    }

    fn usable_admins(world: &World) -> usize {
        world.usable_admins()
    }

    fn own_access_works(world: &World) -> bool {
        let own = world.tokens.iter().find(|token| token.title == "rolecall");
        OWN_CREDENTIAL.starts_with("Bearer ")
            && own.is_some_and(|token| token.permissions.iter().any(|permission| permission == "member:modify"))
    }

    fn access(world: &World) -> BTreeMap<String, BTreeSet<String>> {
        let members = world.members.iter();
        let members = members.map(|member| (format!("member {}", member.email), world.access_of(member)));
        let tokens = world.tokens.iter();
        let tokens = tokens.map(|token| (format!("token {}", token.id), BTreeSet::from(["works".to_owned()])));
        members.chain(tokens).collect()
    }

    fn may(world: &World) -> Vec<(String, BTreeSet<String>)> {
        world.members.iter().map(|member| (member.email.to_lowercase(), world.access_of(member))).collect()
    }

    fn invited(world: &World) -> Vec<String> {
        world.invitations.iter().map(|invitation| invitation.email.to_lowercase()).collect()
    }

    fn shown(world: &World, access: &Access, holder: &Holder) -> BTreeSet<String> {
        let mut shown = BTreeSet::new();
        for Ability { may, at, .. } in access.abilities(holder) {
            let May::Permission(permission) = &may else { panic!("{may} @ {at}") };
            let level = access.permissions[permission].level.unwrap();
            shown.extend(places(world, level, &at.to_string()).iter().map(|place| format!("{may} @ {place}")));
        }
        shown
    }

    fn mails(world: &World) -> Vec<String> {
        world.mails.iter().map(|mail| mail.to_lowercase()).collect()
    }

    fn live_secrets(world: &World) -> Vec<LiveSecret> {
        world
            .tokens
            .iter()
            .map(|token| LiveSecret {
                id: token.id.clone(),
                file: token.title.replace(' ', "-"),
                digest: token.digest.clone(),
            })
            .collect()
    }

    fn break_users(world: &mut World, how: u8) {
        world.switches.paging = if how.is_multiple_of(5) { Paging::Fixed } else { Paging::Broken };
        world.switches.member_page_limit = Some(usize::from(how / 5) % 4 + 1);
    }

    fn emails(world: &World) -> BTreeSet<String> {
        world.members.iter().map(|member| member.email.to_lowercase()).collect()
    }

    fn carries_whole_value(request: &Request) -> Result<(), String> {
        let inputs = request.variables.as_object().unwrap().iter();
        let calls: Vec<(String, &Value)> = match request.operation_name {
            "Batch" => inputs.map(|(alias, input)| (field_of(&request.query, alias), input)).collect(),
            name => inputs.map(|(_, input)| (name.to_owned(), input)).collect(),
        };
        calls.into_iter().try_for_each(|(name, input)| is_whole(&name, input))
    }
}

/// Returns every place that a part of the organisation stands for, in the words of the sandbox.
fn places(world: &World, level: Level, part: &str) -> BTreeSet<String> {
    let (services, apps) = (part.replace("/services/", "/service:"), part.replace("/apps/", "/app:"));
    let part = if level == Level::AppDeployment { apps } else { services };
    let Some(start) = part.strip_suffix('*').filter(|_| !part.contains(':')) else {
        return BTreeSet::from([part]);
    };
    let mut places = BTreeSet::from([part.clone()]);
    for project in &world.projects {
        for target in project.targets.iter().map(|target| &*target.slug).chain(["*"]) {
            let target = format!("{}/{target}", project.slug);
            places.insert(match level {
                Level::Organization => "organization".to_owned(),
                Level::Project => project.slug.clone(),
                Level::Target => target,
                Level::Service => format!("{target}/service:*"),
                Level::AppDeployment => format!("{target}/app:*"),
            });
        }
    }
    // `shop/*` stands for what is in `shop`. At other levels than that of targets it isn't a place itself.
    places.retain(|place| place.starts_with(start) && (part == "*" || level == Level::Target || *place != part));
    places
}

/// Somebody who gets all services gains every other one, and loses none. The other way round they gain none.
#[test]
fn one_service_is_among_all_services() {
    let one = || Some(vec![("shop", Some(vec![("staging", Some((Some(vec!["users"]), None)))]))]);
    for (before, after, word) in [(one(), None, "gains"), (None, one(), "loses")] {
        let mut world = world();
        role(&mut world, "Developer", &["schemaCheck:approve"]);
        member(&mut world, "u0@x.example", "Developer", stored(&before, false));
        let user = format!("{{ email: u0@x.example, resources: {} }}", written(&after));
        let file = FileBody { head: String::new(), lists: vec![("users", vec![user])], min_admins: 0 };
        let plan = serde_json::to_value(planned(&Console::rig(world.clone(), &file)).unwrap()).unwrap();
        let approve = json!({
            "may": "permission",
            "name": "schemaCheck:approve",
            "at": "*",
            "privileged": false,
            "except": ["shop/staging/services/users"],
        });
        assert_eq!(plan["access"], json!({ "user/u0@x.example": { word: [approve] } }));
        what_changes_is_the_difference::<Console>(world, &file).unwrap();
    }
}

/// Returns the operation behind an alias of a document, as it would be sent by itself.
fn field_of(query: &str, alias: &str) -> String {
    let (_, rest) = query.split_once(&format!(" {alias}: ")).unwrap();
    let (field, _) = rest.split_once('(').unwrap();
    format!("{}{}", field[..1].to_uppercase(), &field[1..])
}

fn is_whole(operation: &str, input: &Value) -> Result<(), String> {
    let fields: BTreeSet<&str> = input.as_object().unwrap().keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = match operation {
        "AssignMemberRole" => ["organization", "memberRole", "member", "resources"].into(),
        "UpdateMemberRole" => ["memberRole", "name", "description", "selectedPermissions"].into(),
        "CreateMemberRole" => ["organization", "name", "description", "selectedPermissions"].into(),
        "CreateOrganizationAccessToken" => {
            ["organization", "title", "description", "permissions", "resources"].into()
        }
        _ => return Ok(()),
    };
    if fields != expected {
        return Err(format!("{operation} carries {fields:?}"));
    }
    lists_are_explicit(&input["resources"])
}

/// Checks that granular resources always carry a list, even an empty one: the platform reads a missing list as
/// all.
fn lists_are_explicit(value: &Value) -> Result<(), String> {
    match value {
        Value::Object(fields) => {
            if value["mode"] == "GRANULAR" && !fields.values().any(Value::is_array) {
                return Err(format!("no list in {value}"));
            }
            fields.values().try_for_each(lists_are_explicit)
        }
        Value::Array(items) => items.iter().try_for_each(lists_are_explicit),
        _ => Ok(()),
    }
}

crate::laws!(Console);
