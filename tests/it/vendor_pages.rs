//! Every sample on the vendors' pages can be sent to the sandbox: the same operation, arguments and fields, with ids
//! that the sandbox knows. The answer has each field, in the order asked for.

use std::collections::BTreeSet;

use apollo_compiler::ast::{Definition, Document, Selection};
use apollo_compiler::response::JsonValue;
use apollo_compiler::response::serde_json_bytes::ByteString;
use rolecall_model::{ProviderName, RemoteId};
use rolecall_sandbox::rapidapi::{Generation, HOST, OWN_PERSONAL_KEY, OWN_TEAM_KEY, RapidApi};
use rolecall_sandbox::{Headers, Reply, Store, bitpanda, hive, paradime};
use serde_json::{Value, json};

/// A page, with the number of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Page {
    Bitpanda,
    Hive,
    Paradime,
    RapidapiOrganizations,
    RapidapiUsers,
}

const PAGES: [(Page, usize); 5] = [
    (Page::Bitpanda, 6),
    (Page::Hive, 11),
    (Page::Paradime, 8),
    (Page::RapidapiOrganizations, 7),
    (Page::RapidapiUsers, 18),
];

struct Sample {
    page: Page,
    name: &'static str,
    document: String,
    /// `None` leaves variables out of the request.
    variables: Option<Value>,
    /// The switches of each sandbox that has to answer.
    sandboxes: &'static [&'static [&'static str]],
    /// Fields without a value in this world. A field below one of them isn't looked for.
    empty: &'static [&'static str],
    as_team: bool,
}

fn sample(page: Page, name: &'static str, document: impl Into<String>) -> Sample {
    let sandboxes: &[&[&str]] = match page {
        Page::Hive => &[&["release=newest"], &["release=8.1.2", "paging=broken"]],
        _ => &[&[]],
    };
    Sample { page, name, document: document.into(), variables: None, sandboxes, empty: &[], as_team: false }
}

impl Sample {
    fn with(self, variables: Value) -> Self {
        Self { variables: Some(variables), ..self }
    }

    fn on(self, sandboxes: &'static [&'static [&'static str]]) -> Self {
        Self { sandboxes, ..self }
    }

    fn empty(self, empty: &'static [&'static str]) -> Self {
        Self { empty, ..self }
    }

    fn for_team(self) -> Self {
        Self { as_team: true, ..self }
    }

    fn headers(&self) -> Headers {
        match self.page {
            Page::Bitpanda => Headers::new([("x-api-key", bitpanda::OWN_KEY_SECRET)]),
            Page::Hive => Headers::new([("authorization", hive::OWN_CREDENTIAL)]),
            Page::Paradime => {
                Headers::new([("X-API-KEY", paradime::OWN_API_KEY), ("X-API-SECRET", paradime::OWN_API_SECRET)])
            }
            Page::RapidapiOrganizations | Page::RapidapiUsers if self.as_team => Headers::new([
                ("x-rapidapi-host", HOST),
                ("x-rapidapi-key", OWN_TEAM_KEY),
                ("x-rapidapi-identity-key", OWN_PERSONAL_KEY),
            ]),
            Page::RapidapiOrganizations | Page::RapidapiUsers => {
                Headers::new([("x-rapidapi-host", HOST), ("x-rapidapi-key", OWN_PERSONAL_KEY)])
            }
        }
    }
}

fn bitpanda_page() -> Vec<Sample> {
    let key = "name roles apiKeyExpiryDate apiKeyId enabled";
    let user = "email userTrustId firstName lastName phoneNumber roles createdAt";
    let jane = "3f2b9d54-7a2e-4a0b-9a57-0d6a1c1f7b01";
    let page = |name, document: String| sample(Page::Bitpanda, name, document);
    vec![
        page("list the keys", format!("{{ listApiKeys {{ orgApiKeysList {{ {key} }} }} }}")),
        page(
            "create a key",
            format!(
                "mutation Mint($createOrgApiKeyInput: CreateOrgApiKeyInput!) {{
                    createOrgApiKey(createOrgApiKeyInput: $createOrgApiKeyInput) {{ orgApiKey orgApiKeyDetails {{ {key} }} }}
                }}"
            ),
        )
        .with(json!({ "createOrgApiKeyInput": {
            "name": "nightly / build", "roles": ["ADMIN"], "apiKeyExpiryDate": "2099-12-31T23:59:59Z",
        } })),
        page(
            "disable a key",
            "mutation Off($updateOrgApiKeyInput: UpdateOrgApiKeyInput!) {
                updateOrgApiKey(updateOrgApiKeyInput: $updateOrgApiKeyInput) { apiKeyId }
            }"
            .to_owned(),
        )
        .with(json!({ "updateOrgApiKeyInput": { "apiKeyId": "key_2024-reporting", "enabled": false } })),
        page(
            "list the users",
            format!("{{ organisationManagement {{ id listUsers {{ total items {{ {user} }} }} }} }}"),
        ),
        page(
            "update a user",
            format!(
                "mutation Change($updateUserInput: UpdateUserInput!) {{
                    updateUser(updateUserInput: $updateUserInput) {{ {user} }}
                }}"
            ),
        )
        .with(json!({ "updateUserInput": { "userTrustId": jane, "roles": ["ADMIN"], "enabled": true } })),
        page(
            "invite a user",
            format!(
                "mutation Call($inviteUserInput: InviteUserInput!) {{
                    inviteUser(inviteUserInput: $inviteUserInput) {{ {user} invited }}
                }}"
            ),
        )
        .with(json!({ "inviteUserInput": {
            "email": "kim@acme.example", "firstName": "Kim", "lastName": "Lee", "phoneNumber": "+430000000009",
            "roles": ["ADMIN"], "enabled": true,
        } })),
    ]
}

fn hive_page() -> Vec<Sample> {
    const ACME: &str = "658ccc85-1b2c-4f80-a447-2b4165543001";
    const RELEASE_MANAGER: &str = "bf1f6f82-a18a-4aa2-a8c9-48e9a5cc8bf4";
    const DEVELOPER: &str = "bb772c64-c428-4609-afa6-4ac57c83a77f";
    const SHOP: &str = "328c6886-2c64-4872-aecc-d8c480461679";
    const PRODUCTION: &str = "c9c5ea04-5ff8-48ff-a594-c4c54aab901d";
    let organization = json!({ "bySelector": { "organizationSlug": "acme" } });
    let page = |name, document: &str| sample(Page::Hive, name, document);
    let role = |name, operation: &str, kind: &str, result: &str| {
        let document = format!(
            "mutation Write($input: {kind}!) {{ {operation}(input: $input) {{
                ok {{ {result} {{ id name description permissions }} }}
                error {{ message inputErrors {{ name description }} }}
            }} }}"
        );
        page(name, &document)
    };
    let assign = |name, resources: Value| {
        let document = "mutation Give($input: AssignMemberRoleInput!) { assignMemberRole(input: $input) {
                ok { updatedMember { role { id } user { id } } } error { message }
            } }";
        page(name, document).empty(&["assignMemberRole.error"]).with(json!({ "input": {
            "organization": { "byId": ACME }, "memberRole": { "byId": DEVELOPER },
            "member": { "byId": SAM_AT_HIVE }, "resources": resources,
        } }))
    };
    vec![
        page(
            "the permissions that can be given",
            "query Catalogue($organizationSlug: String!) {
                organization(reference: { bySelector: { organizationSlug: $organizationSlug } }) {
                    id slug availableMemberPermissionGroups { id permissions { id title description } }
                }
            }",
        )
        .with(json!({ "organizationSlug": "acme" })),
        role("create a role", "createMemberRole", "CreateMemberRoleInput", "createdMemberRole")
            .empty(&["createMemberRole.error"])
            .with(json!({ "input": {
                "organization": organization, "name": "Reviewer", "description": "Reads schemas",
                "selectedPermissions": ["project:describe"],
            } })),
        role("update a role", "updateMemberRole", "UpdateMemberRoleInput", "updatedRole")
            .empty(&["updateMemberRole.error"])
            .with(json!({ "input": {
                "memberRole": { "byId": RELEASE_MANAGER }, "name": "Releases", "description": "Approves checks",
                "selectedPermissions": ["schemaCheck:approve"],
            } })),
        page(
            "delete a role",
            "mutation Drop($input: DeleteMemberRoleInput!) {
                deleteMemberRole(input: $input) { ok { deletedMemberRoleId } error { message } }
            }",
        )
        // The role has members. A refusal has the same fields.
        .empty(&["deleteMemberRole.ok"])
        .with(json!({ "input": { "memberRole": { "byId": DEVELOPER } } })),
        assign("assign a role", json!({ "mode": "ALL" })),
        assign("assign all resources", json!({ "mode": "ALL", "projects": [] })),
        assign(
            "assign all targets of a project",
            json!({ "mode": "GRANULAR", "projects": [{ "projectId": SHOP, "targets": { "mode": "ALL" } }] }),
        ),
        assign(
            "assign one target",
            json!({ "mode": "GRANULAR", "projects": [{ "projectId": SHOP, "targets": {
                "mode": "GRANULAR",
                "targets": [{
                    "targetId": PRODUCTION, "services": { "mode": "ALL" }, "appDeployments": { "mode": "ALL" },
                }],
            } }] }),
        ),
        page(
            "list the invitations",
            "query Open($organizationSlug: String!, $after: String) {
                organization(reference: { bySelector: { organizationSlug: $organizationSlug } }) {
                    invitations(first: 10, after: $after) { edges { node { id email createdAt } } }
                }
            }",
        )
        .with(json!({ "organizationSlug": "acme" })),
        page(
            "invite by email",
            "mutation Call($input: InviteToOrganizationByEmailInput!) { inviteToOrganizationByEmail(input: $input) {
                ok { createdOrganizationInvitation { id email expiresAt } } error { message }
            } }",
        )
        .empty(&["inviteToOrganizationByEmail.error"])
        .with(json!({ "input": { "organization": organization, "email": "kim@acme.example" } })),
        page(
            "revoke an invitation",
            "mutation Revoke($input: DeleteOrganizationInvitationInput!) {
                deleteOrganizationInvitation(input: $input) {
                    ok { deletedOrganizationInvitationId } error { message }
                }
            }",
        )
        .empty(&["deleteOrganizationInvitation.error"])
        .with(json!({ "input": { "organization": organization, "email": "new1@acme.example" } })),
    ]
}

const SAM_AT_HIVE: &str = "81e5b8b5-9824-4358-ac17-9eb5b43ac749";

/// The page has each operation twice: in Python with values inside the document, and for curl with variables.
fn paradime_page() -> Vec<Sample> {
    const SAM: &str = "2e098b22968b873dca5b9c801fe0fb7aca2de0bb7e552ddb69a4d7671c7cef67";
    let page = |name, document: String| sample(Page::Paradime, name, document);
    let users = "query People { listUsers { ok activeUsers { uid email name accountType }
        invitedUsers { email accountType inviteStatus } } }";
    vec![
        page("list the users, in Python", users.to_owned()),
        page("list the users, with curl", users.split_whitespace().collect::<Vec<_>>().join(" ")),
        page(
            "invite a user, in Python",
            "mutation Call { inviteUser(email: \"kim@acme.example\", accountType: DEVELOPER) { ok } }".to_owned(),
        ),
        page(
            "invite a user, with curl",
            "mutation Call($email: String!, $accountType: UserAccountType!) {
                inviteUser(email: $email, accountType: $accountType) { ok } }"
                .to_owned(),
        )
        .with(json!({ "email": "kim@acme.example", "accountType": "DEVELOPER" })),
        page(
            "change a role, in Python",
            format!("mutation Change {{ updateUserAccountType(uid: \"{SAM}\" accountType: DEVELOPER) {{ ok }} }}"),
        ),
        page(
            "change a role, with curl",
            "mutation Change($uid: String!, $accountType: UserAccountType!) {
                updateUserAccountType(uid: $uid, accountType: $accountType) { ok } }"
                .to_owned(),
        )
        .with(json!({ "uid": SAM, "accountType": "DEVELOPER" })),
        page("disable a user, in Python", format!("mutation Off {{ disableUser(uid: \"{SAM}\") {{ ok }} }}")),
        page(
            "disable a user, with curl",
            "mutation Off($uid: String!) { disableUser(uid: $uid) { ok } }".to_owned(),
        )
        .with(json!({ "uid": SAM })),
    ]
}

/// The admin's query for an organisation: four root fields and eight fragments.
const ADMIN_ORGANIZATION: &str = "
    query Everything(
        $id: ID! $whereRoles: RoleWhereInput! $papiWhere: RoleWhereInput! $whereOrgTeam: WhereOrgTeam
        $defaultRoleWhere: RoleWhereInput!
    ) {
        organization(id: $id, where: $whereOrgTeam) { ...Whole __typename }
        roles(where: $whereRoles) { nodes { ...Named __typename } __typename }
        papiRoles: roles(where: $papiWhere) { nodes { ...Allowing __typename } __typename }
        defaultRole: roles(where: $defaultRoleWhere) { nodes { ...Named __typename } __typename }
    }
    fragment Whole on Organization {
        id slugifiedName name status entity createdAt updatedAt apisCount
        role { id entityId roleId role { name __typename } __typename }
        apis { ...Offered __typename }
        externalSubscriptions { ...Subscribed __typename }
        internalSubscriptions { ...Subscribed __typename }
        ProjectAcls { ...Owned __typename }
        users(roleInOrgCtx: true) { ...Person __typename }
        teams(where: $whereOrgTeam) { ...Group __typename }
        __typename
    }
    fragment Named on Role { id name description isBasicRole isDefault __typename }
    fragment Allowing on Role {
        id name description isDefault
        permissions {
            id key displayName permissionLevel description dependsOn
            rolePermission { granted readOnly __typename }
            __typename
        }
        __typename
    }
    fragment Offered on Api {
        id name owner { name id __typename } createdAt category pricing status visibility __typename
    }
    fragment Subscribed on BillingSubscription {
        id api { id name __typename } status createdAt updatedAt deletedAt entity { id name __typename } __typename
    }
    fragment Owned on AdminProjectAcl {
        id createdAt owner { id name __typename }
        Project { id name applicationAuthorizations { id key __typename } __typename }
        __typename
    }
    fragment Person on User {
        id name email username role { role { name __typename } __typename } Teams { id __typename } __typename
    }
    fragment Group on Team {
        id name usersCount createdAt role(where: $whereOrgTeam) { id roleId __typename } __typename
    }";

const ORGANIZATIONS: &str = "query Mine($where: OrganizationWhereInput!) { organizations(where: $where) {
    name slugifiedName id teams { id name ProjectAcls { Project { id name } } } users { name email id }
} }";

fn rapidapi_organizations_page() -> Vec<Sample> {
    let page = |name, document: &str| sample(Page::RapidapiOrganizations, name, document);
    let level = |name: &str| json!({ "roleLevels": [name] });
    vec![
        page(
            "create an organisation",
            "mutation Found($input: OrganizationCreateInput!) { createOrganization(input: $input) { name, id } }",
        )
        .with(json!({ "input": {
            "name": "Harbour", "email": "harbour@acme.example", "seats": 7, "thumbnail": "https://acme.example/h.png",
            "users": [{ "email": "kim@acme.example", "role": "ADMIN" }, { "id": "7000104", "role": "DEVELOPER" }],
        } })),
        page(
            "an organisation by its id",
            "query One($id: ID!) { organization(id: $id) {
                id name slugifiedName
                teams { id name ProjectAcls { Project {
                    id name description thumbnail mashapeId enableLimitsToAPIs projectAllowedAPIs { id }
                } } }
                users { name email id }
            } }",
        )
        .empty(&[
            "organization.teams.ProjectAcls.Project.thumbnail",
            "organization.teams.ProjectAcls.Project.projectAllowedAPIs",
        ])
        .with(json!({ "id": 7_000_001 })),
        page("an organisation by its id, for admins", ADMIN_ORGANIZATION)
            .empty(&[
                "organization.role",
                "organization.externalSubscriptions.deletedAt",
                "organization.internalSubscriptions.deletedAt",
                "organization.teams.role",
                "roles.nodes.description",
                "papiRoles.nodes.description",
                "papiRoles.nodes.permissions.description",
                "defaultRole.nodes.description",
            ])
            .with(json!({
                "id": "7000001",
                "whereRoles": level("ORGANIZATION"),
                "papiWhere": level("TEAM_ENVIRONMENT"),
                "whereOrgTeam": { "orgId": "7000001", "parentId": "7000001" },
                "defaultRoleWhere": level("USER_ORGANIZATION"),
            })),
        page("the organisations of a user", ORGANIZATIONS)
            .for_team()
            .with(json!({ "where": { "userId": 7_000_101 } })),
        page("an organisation by its slug", ORGANIZATIONS)
            .for_team()
            .with(json!({ "where": { "slugifiedName": "platform-management" } })),
        page(
            "update an organisation",
            "mutation Seats($input: OrganizationUpdateInput!) {
                updateOrganization(input: $input) { billingAdditionalValues { total } }
            }",
        )
        .with(json!({ "input": {
            "organizationId": 7_000_001, "seats": 35, "thumbnail": "https://acme.example/h.png",
        } })),
        // On the page, the sample has a type in place of the id.
        page("delete an organisation", "mutation Close { deleteOrganization(id: 7000002) }"),
    ]
}

const LISTED: &[&[&str]] = &[&["generation=2023-08"]];

fn rapidapi_users_page() -> Vec<Sample> {
    let page = |name, document: &str| sample(Page::RapidapiUsers, name, document);
    let people = "query Found($where: UserWhereInput!) { users(where: $where) { nodes {
        id username name email createdAt status Teams { id name }
    } } }";
    let listed = "query Found($where: UserWhereInput!) { users(where: $where) {
        id username name email createdAt status
        ProjectAcls { Project { name id description } }
        Teams { id name ProjectAcls { Project { name id description } } }
    } }";
    let teams = "query Teams($where: TeamWhereInput!) { teams(where: $where) { name id slugifiedName } }";
    let by = |field: &str, value: Value| json!({ "where": { field: value } });
    vec![
        page("a user by email", people).with(by("email", json!("sam@acme.example"))),
        page("a user by user name", people).with(by("username", json!("sam"))),
        page("users by id", people).with(by("userIds", json!([7_000_104, 7_000_105]))),
        page("a user by email, in JavaScript", people).with(by("email", json!("sam@acme.example"))),
        page("a user with apps, by email", listed)
            .on(LISTED)
            .empty(&["users.ProjectAcls.Project.description"])
            .with(by("email", json!("sam@acme.example"))),
        page("users with apps, by id", listed)
            .on(LISTED)
            .empty(&["users.ProjectAcls.Project.description"])
            .with(by("userIds", json!([7_000_104, 7_000_105]))),
        page(
            "a user, for admins",
            "query Whole($id: ID!) { user(id: $id) {
                id name thumbnail mashapeId createdAt updatedAt email status username verified apisCount
                singleAdminOrgs organizations { id name description } role { roleId } protected
                Teams { id name createdAt thumbnail }
                ProjectAcls { id createdAt Project { id name applicationAuthorizations { id key } } }
            } }",
        )
        // Only an environment admin has a role there, and that one has no app.
        .empty(&["user.thumbnail", "user.singleAdminOrgs", "user.role", "user.Teams.thumbnail"])
        .with(json!({ "id": "7000104" })),
        page(
            "all users, for admins",
            "query Page($where: UserWhereInput!) { users(where: $where) { totalCount nodes {
                name username id thumbnail email createdAt lastActive apisCount status
            } } }",
        )
        .empty(&["users.nodes.thumbnail", "users.nodes.lastActive"])
        .with(json!({ "where": {
            "limit": 50, "offset": 0, "term": "", "order": "createdAt,ASC", "byField": "id,name,email,username",
            "filters": {},
        } })),
        page(
            "the people of an organisation",
            "query People($orgId: Int!, $pagingArgs: PagingArgs) {
                paginatedTeamUsersByOrganizationIdV2(orgId: $orgId, pagingArgs: $pagingArgs) {
                    data { id name username email role inviteStatus } total totalActive
                }
            }",
        )
        .for_team()
        .with(json!({
            "orgId": 7_000_001,
            "pagingArgs": { "offset": 0, "limit": 1000, "orderBy": "id", "orderDirection": "desc" },
        })),
        page(
            "a team",
            "query Group($id: ID!) {
                team(id: $id) { id slugifiedName name createdAt ProjectAcls { Project { id name } } }
            }",
        )
        .with(json!({ "id": "7000012" })),
        page(
            "the roles of a level",
            "query Roles($where: RoleWhereInput!) { roles(where: $where) {
                edges { node { id name permissions { id rolePermission { granted readOnly } } } cursor }
                pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
            } }",
        )
        .with(json!({ "where": { "roleLevels": ["USER_ENVIRONMENT"] } })),
        page("the teams of an organisation by its id", teams).with(by("orgId", json!(7_000_001))),
        page("the teams of an organisation by its slug", teams).with(by("slugifiedName", json!("partners"))),
    ]
}

fn rapidapi_users_mutations() -> Vec<Sample> {
    let page = |name, document: &str| sample(Page::RapidapiUsers, name, document);
    vec![
        page(
            "deactivate a user",
            "mutation Off($input: UserUpdateInput!) { updateUser(input: $input) { status } }",
        )
        .with(json!({ "input": { "status": "DEACTIVATED", "id": "7000107" } })),
        page(
            "give a role in an organisation",
            "mutation Give($input: UserRolesUpdateInput) { updateUserRoles(input: $input) }",
        )
        .with(json!({ "input": { "entityId": 7_000_104, "roleId": 521, "orgId": 7_000_001 } })),
        page(
            "give a role in a team",
            "mutation Give($input: EntityRoleInput) { upsertEntityRole(input: $input) }",
        )
        .with(json!({ "input": {
                "entityId": 7_000_104, "roleId": 533, "orgId": 7_000_001, "parentId": 7_000_013,
            } })),
        page("invite a user", "mutation Call($input: UserInvitesInput) { createUserInvites(input: $input) }")
            .with(json!({ "input": {
                "email": "kim@acme.example", "teamIds": [7_000_012], "organizationId": 7_000_001,
                "role": "DEVELOPER", "id": 7_000_110, "inviterId": 7_000_101,
            } })),
        page(
            "move a user between teams",
            "mutation Move($input: TeamUserUpdateInput) { updateTeamUser(input: $input) }",
        )
        .with(json!({ "input": {
                "orgId": 7_000_001, "teamUserId": 7_000_104, "teamToRemove": 7_000_012, "teamToAdd": 7_000_011,
                "newRole": "DEVELOPER",
            } })),
    ]
}

fn samples() -> Vec<Sample> {
    let rapidapi = [rapidapi_organizations_page(), rapidapi_users_page(), rapidapi_users_mutations()];
    [bitpanda_page(), hive_page(), paradime_page()].into_iter().chain(rapidapi).flatten().collect()
}

/// Sends a sample to a new sandbox. Returns the status and the body, in the order in which it was written.
async fn ask(sample: &Sample, switches: &[&str]) -> (u16, String) {
    let (provider, organization) = match sample.page {
        Page::Bitpanda => (ProviderName::Bitpanda, bitpanda::SEEDS[0]),
        Page::Hive => (ProviderName::Hive, hive::SEEDS[0]),
        Page::Paradime => (ProviderName::Paradime, paradime::SEEDS[0]),
        Page::RapidapiOrganizations | Page::RapidapiUsers => (ProviderName::Rapidapi, "platform-management"),
    };
    let sandbox = rolecall_sandbox::open(provider, &RemoteId::seen(organization), Store::Memory).unwrap();
    let switches: Vec<String> = switches.iter().map(|&switch| switch.to_owned()).collect();
    sandbox.set(&switches).unwrap();
    let mut body = json!({ "query": sample.document });
    if let Some(variables) = &sample.variables {
        body["variables"] = variables.clone();
    }
    match sandbox.handle(&sample.headers(), body.to_string().as_bytes()).await {
        Reply::Answer(response) => (response.status, String::from_utf8(response.body).unwrap()),
        Reply::Dropped => panic!("{}: no answer", sample.name),
    }
}

/// Returns the fields of a selection, in the order asked for, with the fields of its fragments in their place.
fn fields<'a>(document: &'a Document, set: &'a [Selection]) -> Vec<(&'a str, &'a [Selection])> {
    let of = |selection: &'a Selection| match selection {
        Selection::Field(field) => vec![(field.response_name().as_str(), field.selection_set.as_slice())],
        Selection::FragmentSpread(spread) => {
            let mut fragments = document.definitions.iter().filter_map(Definition::as_fragment_definition);
            fields(document, &fragments.find(|it| it.name == spread.fragment_name).unwrap().selection_set)
        }
        Selection::InlineFragment(inline) => fields(document, &inline.selection_set),
    };
    let mut fields: Vec<(&str, &[Selection])> = Vec::new();
    for (key, below) in set.iter().flat_map(of) {
        // `__typename` stands in a fragment and beside it.
        if !fields.iter().any(|(known, _)| *known == key) {
            fields.push((key, below));
        }
    }
    fields
}

fn asked(document: &Document, set: &[Selection], path: &str, found: &mut BTreeSet<String>) {
    for (key, below) in fields(document, set) {
        let path = format!("{path}{key}");
        asked(document, below, &format!("{path}."), found);
        found.insert(path);
    }
}

/// The comparison of an answer with what was asked.
#[derive(Default)]
struct Comparison {
    /// The fields that have a value somewhere.
    found: BTreeSet<String>,
    /// The objects whose keys aren't those of the selection, in its order.
    wrong: Vec<String>,
}

impl Comparison {
    fn add(&mut self, document: &Document, set: &[Selection], answer: &JsonValue, path: &str) {
        match answer {
            JsonValue::Array(items) => {
                for item in items {
                    self.add(document, set, item, path);
                }
            }
            JsonValue::Object(object) if !set.is_empty() => {
                let expected = fields(document, set);
                if !object.keys().map(ByteString::as_str).eq(expected.iter().map(|(key, _)| *key)) {
                    self.wrong.push(format!("below `{path}`: {:?}", object.keys().collect::<Vec<_>>()));
                }
                for (key, below) in expected {
                    let path = format!("{path}{key}");
                    let value = object.get(key).unwrap_or(&JsonValue::Null);
                    self.add(document, below, value, &format!("{path}."));
                    if *value != JsonValue::Null && *value != JsonValue::Array(Vec::new()) {
                        self.found.insert(path);
                    }
                }
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn each_sample_of_the_vendors_pages_is_answered_in_full() {
    let mut wrong = Vec::new();
    for sample in samples() {
        let document = Document::parse(sample.document.as_str(), "sample").unwrap();
        let operation = document.definitions.iter().find_map(Definition::as_operation_definition).unwrap();
        let set = &operation.selection_set;
        for switches in sample.sandboxes {
            let name = format!("{:?}: {} {switches:?}", sample.page, sample.name);
            let (status, body) = ask(&sample, switches).await;
            let JsonValue::Object(answer) = serde_json::from_str(&body).unwrap() else { panic!("{name}: {body}") };
            let data = answer.get("data").unwrap_or(&JsonValue::Null);
            if status != 200 || answer.contains_key("errors") || *data == JsonValue::Null {
                wrong.push(format!("{name}: {body}"));
                continue;
            }
            let (mut wanted, mut answered) = (BTreeSet::new(), Comparison::default());
            asked(&document, set, "", &mut wanted);
            answered.add(&document, set, data, "");
            wrong.extend(answered.wrong.iter().map(|wrong| format!("{name}: {wrong}")));
            let missing: Vec<&String> = wanted.difference(&answered.found).collect();
            let is_below = |path: &str, above: &str| {
                path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let unexplained =
                missing.iter().filter(|path| !sample.empty.iter().any(|empty| is_below(path, empty)));
            wrong.extend(unexplained.map(|path| format!("{name}: nothing in {path}")));
            let stale = sample.empty.iter().filter(|empty| !missing.iter().any(|path| is_below(path, empty)));
            wrong.extend(stale.map(|path| format!("{name}: there is something in {path}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns one query for each field that the schema has below `Query`, except for those that need arguments.
fn query_of_each_field(sdl: &str) -> Vec<String> {
    let schema = apollo_compiler::Schema::parse_and_validate(sdl, "schema").unwrap();
    let mut queries = Vec::new();
    let mut seen = BTreeSet::from(["Query".to_owned()]);
    let mut waiting = vec![("Query".to_owned(), Vec::new())];
    while let Some((on, path)) = waiting.pop() {
        for (name, field) in &schema.get_object(&on).unwrap().fields {
            let arguments = match name.as_str() {
                "organization" if field.argument_by_name("reference").is_some() => {
                    "(reference: { bySelector: { organizationSlug: \"acme\" } })"
                }
                _ if field.arguments.iter().any(|argument| argument.is_required()) => continue,
                _ => "",
            };
            let kind = field.ty.inner_named_type();
            let path: Vec<String> = path.iter().cloned().chain([format!("{name}{arguments}")]).collect();
            let is_object = schema.get_object(kind).is_some();
            let selected = if is_object { " { __typename }" } else { "" };
            queries.push(format!("{{ {}{selected} {}", path.join(" { "), "}".repeat(path.len())));
            if is_object && seen.insert(kind.to_string()) {
                waiting.push((kind.to_string(), path));
            }
        }
    }
    queries
}

#[tokio::test]
async fn each_field_of_a_schema_that_can_be_read_has_a_value_or_a_reason() {
    for (page, sdl) in [
        (Page::Bitpanda, bitpanda::Bitpanda::sdl()),
        (Page::Hive, hive::Hive::sdl()),
        (Page::Paradime, paradime::Paradime::sdl()),
        (Page::RapidapiUsers, RapidApi::sdl(Generation::default())),
    ] {
        let queries = query_of_each_field(&sdl);
        assert!(queries.len() > 10, "{page:?}");
        for query in queries {
            let (status, body) = ask(&sample(page, "field", query.as_str()), &["introspection=true"]).await;
            assert_eq!(status, 200, "{query} {body}");
            assert!(!body.contains("the sandbox has no"), "{query} {body}");
        }
    }
}

#[test]
fn no_sample_of_the_vendors_pages_is_left_out() {
    let samples = samples();
    for (page, count) in PAGES {
        let names: BTreeSet<_> = samples.iter().filter(|it| it.page == page).map(|it| it.name).collect();
        assert_eq!(names.len(), count, "{page:?}");
    }
    assert_eq!(samples.len(), PAGES.iter().map(|(_, count)| count).sum::<usize>());
}

#[tokio::test]
async fn either_form_of_users_is_refused_by_hubs_that_have_the_other() {
    for sample in rapidapi_users_page().into_iter().filter(|it| it.document.contains("users(where")) {
        let others: &[&[&str]] = if sample.sandboxes == LISTED { &[&["generation=documented"]] } else { LISTED };
        for switches in others {
            assert_eq!(ask(&sample, switches).await.0, 400, "{} {switches:?}", sample.name);
        }
    }
}

#[tokio::test]
async fn a_pending_invitation_at_paradime_is_active_as_on_the_page() {
    let samples = paradime_page();
    let (_, body) = ask(&samples[0], &[]).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let invited = body["data"]["listUsers"]["invitedUsers"].as_array().unwrap();
    let statuses: Vec<&str> = invited.iter().map(|it| it["inviteStatus"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["ACTIVE", "EXPIRED"]);
}
