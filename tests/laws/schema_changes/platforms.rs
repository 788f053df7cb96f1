//! The generations of each vendor's schema, and scenarios that together send every mutation.

use rolecall_providers::{bitpanda, hive, paradime, rapidapi};
use rolecall_sandbox::bitpanda::Bitpanda;
use rolecall_sandbox::hive::{
    AssignedProject, AssignedTarget, Assignment, Hive, Paging, Release, Scope, WorldToken,
};
use rolecall_sandbox::rapidapi::{OWN_EMAIL, RapidApi};

use super::{Changing, Generation, Scenario};
use crate::support::bitpanda::Custody;
use crate::support::hive::Console;
use crate::support::paradime::Workspace;
use crate::support::rapidapi::Hub;
use crate::support::{self};

fn texts(mutations: &[(&str, rolecall_graphql::Mutation)]) -> Vec<&'static str> {
    mutations.iter().map(|(_, mutation)| mutation.text).collect()
}

impl Changing for Custody {
    fn generations() -> Vec<Generation<Self>> {
        let queries = bitpanda::DOCUMENTED_QUERIES.iter().map(|query| query.text);
        vec![Generation {
            file: "used.txt",
            sdl: Bitpanda::sdl(),
            prepare: |_| {},
            documents: queries.chain(texts(bitpanda::MUTATIONS)).collect(),
            optional_documents: vec![bitpanda::LIST_USERS_PAGE.text],
            optional: &["OrganisationManagement.listUsers(limit)", "OrganisationManagement.listUsers(nextToken)"],
            when: None,
        }]
    }

    fn scenarios() -> Vec<Scenario<Self>> {
        use support::bitpanda::{HEAD, key, user, world};
        let mut busy = world();
        busy.users.push(user("jane@x.example", &["ADMIN", "CLUSTER_OPS"]));
        busy.users.push(user("max@x.example", &["ADMIN"]));
        busy.users.push(user("sam@x.example", &["SIGNER"]));
        busy.users.push(user("left@x.example", &["CLUSTER_MANAGER"]));
        busy.keys.push(key("k1", "old", &["CLUSTER_OPS"], "s1"));
        busy.keys.push(key("k2", "kept", &["CLUSTER_OPS"], "s2"));
        busy.keys.push(key("k3", "rogue", &["SIGNER"], "s3"));
        let file = format!(
            "{HEAD}
guardrails: {{ min_admins: 1 }}
users:
  - {{ email: jane@x.example, roles: [ADMIN, CLUSTER_MANAGER], enabled: true }}
  - {{ email: max@x.example, roles: [ADMIN], enabled: true }}
  - {{ email: sam@x.example, enabled: false }}
  - {{ email: left@x.example, absent: true }}
  - {{ email: new@x.example, first_name: New, last_name: User, phone: \"+430000\", roles: [SIGNER], enabled: true }}
  - {{ email: other@x.example, first_name: Other, last_name: User, roles: [], enabled: false }}
keys:
  - {{ name: new, roles: [CLUSTER_OPS], expires: 2029-01-01T00:00:00Z, deliver: {{ file: new.key }} }}
  - {{ name: kept, roles: [CLUSTER_OPS], expires: 2030-01-01T00:00:00Z, deliver: {{ file: kept.key }} }}
  - {{ name: old, absent: true }}
"
        );
        let mut paged = busy.clone();
        paged.switches.page_size = Some(2);
        vec![(busy, file.clone()), (paged, file)]
    }
}

impl Changing for Workspace {
    fn generations() -> Vec<Generation<Self>> {
        let queries = paradime::QUERIES.iter().map(|query| query.text);
        vec![Generation {
            file: "used.txt",
            sdl: include_str!("../../../crates/rolecall-sandbox/schemas/paradime.graphql").to_owned(),
            prepare: |_| {},
            documents: queries.chain(texts(paradime::MUTATIONS)).collect(),
            optional_documents: Vec::new(),
            optional: &[],
            when: None,
        }]
    }

    fn scenarios() -> Vec<Scenario<Self>> {
        use support::paradime::{HEAD, invitation, user, world};
        let mut busy = world();
        user(&mut busy, "jane@x.example", "DEVELOPER");
        user(&mut busy, "max@x.example", "ADMIN");
        user(&mut busy, "left@x.example", "ANALYST");
        user(&mut busy, "unlisted@x.example", "BUSINESS");
        invitation(&mut busy, "open@x.example", "DEVELOPER", "SENT");
        invitation(&mut busy, "late@x.example", "DEVELOPER", "EXPIRED");
        let file = format!(
            "{HEAD}
guardrails: {{ min_admins: 1 }}
users:
  - {{ email: own@x.example, roles: [ADMIN] }}
  - {{ email: jane@x.example, roles: [BUSINESS] }}
  - {{ email: max@x.example, roles: [ADMIN] }}
  - {{ email: left@x.example, absent: true }}
  - {{ email: open@x.example, roles: [DEVELOPER] }}
  - {{ email: new@x.example, roles: [WORKSPACE_ADMIN] }}
"
        );
        vec![(busy, file)]
    }
}

impl Changing for Console {
    fn generations() -> Vec<Generation<Self>> {
        let all = |without: &[&str]| -> Vec<&'static str> {
            let typed = |text: &&str| !text.contains("  type\n");
            let queries = hive::QUERIES.iter().map(|query| query.text).filter(typed);
            let mutations = hive::MUTATIONS.iter().filter(|(field, _)| !without.contains(field));
            queries.chain(mutations.map(|(_, mutation)| mutation.text)).collect()
        };
        let typed = hive::QUERIES.iter().map(|query| query.text).filter(|text| text.contains("  type\n"));
        let typed: Vec<&str> = typed.collect();
        vec![
            Generation {
                file: "used-8.1.2.txt",
                sdl: include_str!("../../../crates/rolecall-sandbox/schemas/hive-8.1.2.graphql").to_owned(),
                prepare: |world| world.switches.release = Release::V8_1_2,
                documents: all(&["deleteAccessToken"]),
                optional_documents: typed.clone(),
                optional: &[],
                when: None,
            },
            Generation {
                file: "used-newest.txt",
                sdl: Hive::sdl(),
                prepare: |world| world.switches.release = Release::Newest,
                documents: all(&["deleteOrganizationAccessToken"]),
                optional_documents: typed,
                optional: &["InviteToOrganizationByEmailInput.resources", "Mutation.deleteAccessToken"],
                when: Some("mutation deleteAccessToken"),
            },
        ]
    }

    fn only_takes(arguments: &str) -> bool {
        arguments.contains(r#""resources":{"mode":"GRANULAR","projects":[]}"#)
    }

    fn created(world: &Self::World) -> Vec<(String, String)> {
        world.roles.iter().map(|role| (role.id.clone(), format!("role {}", role.name))).collect()
    }

    fn scenarios() -> Vec<Scenario<Self>> {
        use support::hive::{HEAD, invitation, member, role, uuid, world};
        let mut busy = world();
        role(&mut busy, "Developer", &["project:describe", "schemaCheck:approve"]);
        role(&mut busy, "Reviewer", &["project:describe"]);
        role(&mut busy, "Old", &["member:modify"]);
        role(&mut busy, "No access", &[]);
        let targets = vec![AssignedTarget {
            id: uuid("shop/production"),
            services: Scope::Granular(vec!["users".to_owned()]),
            app_deployments: Scope::Granular(vec!["web".to_owned()]),
        }];
        let shop = AssignedProject { id: uuid("shop"), targets: Scope::Granular(targets) };
        member(&mut busy, "jane@x.example", "Developer", Assignment::Granular(vec![shop]));
        member(&mut busy, "max@x.example", "Admin", Assignment::All);
        member(&mut busy, "left@x.example", "Developer", Assignment::All);
        member(&mut busy, "unlisted@x.example", "Reviewer", Assignment::All);
        invitation(&mut busy, "open@x.example", "Viewer");
        invitation(&mut busy, "gone@x.example", "Admin");
        for title in ["old", "kept"] {
            let token = WorldToken { id: uuid(title), title: title.to_owned(), ..busy.tokens[0].clone() };
            busy.tokens.push(token);
        }
        let file = format!(
            "{HEAD}
roles:
  - {{ name: Developer, description: About Developer, permissions: [project:describe, laboratory:describe] }}
  - {{ name: New, description: About New, permissions: [project:describe] }}
  - {{ name: Old, absent: true }}
users:
  - {{ email: jane@x.example, roles: [Reviewer], resources: {{ shop: {{ production: {{ services: [users, cart], app_deployments: [web] }} }} }} }}
  - {{ email: max@x.example, roles: [Admin], resources: all }}
  - {{ email: left@x.example, absent: true }}
  - {{ email: open@x.example, roles: [Viewer], resources: all }}
  - {{ email: gone@x.example, absent: true }}
  - {{ email: new@x.example, roles: [Developer], resources: {{ blog: all }} }}
keys:
  - {{ name: ci, permissions: [project:describe], resources: {{ shop: {{ staging: all }} }}, deliver: {{ file: ci.key }} }}
  - {{ name: old, absent: true }}
"
        );
        let mut paged = busy.clone();
        paged.switches.paging = Paging::Fixed;
        paged.switches.member_page_limit = Some(2);
        vec![(busy, file.clone()), (paged, file)]
    }
}

impl Changing for Hub {
    fn generations() -> Vec<Generation<Self>> {
        use rolecall_sandbox::rapidapi::Generation::{August2023, Documented};
        let common = || rapidapi::QUERIES.iter().map(|query| query.text).chain(texts(rapidapi::MUTATIONS));
        let [listed, [organization, users]] = rapidapi::QUERIES_BY_GENERATION else { panic!() };
        vec![
            Generation {
                file: "used-2023-08.txt",
                sdl: RapidApi::sdl(August2023),
                prepare: |world| world.switches.generation = August2023,
                documents: common().chain(listed.iter().map(|query| query.text)).collect(),
                optional_documents: Vec::new(),
                optional: &[],
                when: None,
            },
            Generation {
                file: "used-documented.txt",
                sdl: RapidApi::sdl(Documented),
                prepare: |world| world.switches.generation = Documented,
                documents: common().chain([users.text]).collect(),
                optional_documents: vec![organization.text],
                optional: &["Organization.users(roleInOrgCtx)"],
                when: Some("query users.nodes"),
            },
        ]
    }

    fn created(world: &Self::World) -> Vec<(String, String)> {
        let teams = world.organizations.iter().flat_map(|it| &it.teams);
        teams.map(|team| (team.id.to_string(), format!("team {}", team.name))).collect()
    }

    fn scenarios() -> Vec<Scenario<Self>> {
        use support::rapidapi::{HEAD, head_of, member, one_of_each_change, with_teams, world};
        let (busy, body) = one_of_each_change();
        let mut accounts = with_teams(&["Payments"]);
        for name in ["kim", "max", "lou"] {
            member(&mut accounts, &format!("{name}@x.example"), false, &[("Payments", "team-viewer")]);
        }
        let away = accounts.add_user("away@x.example");
        "DEACTIVATED".clone_into(&mut accounts.user_mut(away).unwrap().status);
        let of_accounts = format!(
            "allow: [user-deletion]
users:
  - {{ email: {OWN_EMAIL} }}
  - {{ email: kim@x.example, status: deactivated }}
  - {{ email: max@x.example, absent: true, status: deleted }}
  - {{ email: away@x.example, roles: [Developer], teams: [Payments], status: active }}
"
        );
        let settings = "settings: { name: Globex, email: bills@globex.example, seats: 25, create: true }
users:
  - { email: own@acme.example, roles: [Organization Admin] }
  - { email: admin@x.example, roles: [Organization Admin] }
";
        let mut partners = world();
        partners.add_organization("partners");
        vec![
            (busy, format!("{HEAD}{body}")),
            (accounts, format!("{HEAD}{of_accounts}")),
            (world(), format!("{}{settings}", head_of("globex"))),
            (partners, format!("{}settings: {{ absent: true }}\n", head_of("partners"))),
        ]
    }
}
