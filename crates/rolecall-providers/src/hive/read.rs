//! Reads an organisation: the features of the server, everything else in one request, and the further pages of
//! lists.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::{Instrument as _, Span};

use super::super::distinct::distinct;
use super::super::rows::{self, Fields, Mail, Row, Text};
use super::super::schema::new_inputs;
use super::super::trace::{came_along, list_span, record_list};
use super::documents::{
    ACCESS_TOKENS_PAGE, FEATURES, INVITATIONS_PAGE, MEMBERS_PAGE, ORGANIZATION, ORGANIZATION_WITHOUT_TYPE,
};
use super::list::{Collected, completeness_of, follow, gap_in_members, nodes};
use super::permissions::{ACCESS_TOKEN_MODIFY, MEMBER_MODIFY};
use super::resources::from_wire;
use super::rules::DESCRIBE;
use super::wire::{
    AccessTokensPage, Edge, Features, Found, HeldRole, Introspected, InvitationsPage, List, MembersPage,
    Organization, Page, PermissionGroup, WireInvitation, WireMember, WirePermission, WireProject, WireRole,
    WireToken,
};
use super::{ReadError, USED};
use rolecall_graphql::{CallError, GraphQlError, Query, Reader};
use rolecall_model::{
    AccountStatus, Action, Catalogue, Completeness, Desired, EcoString, Gap, KeyName, Kind, KnownPermission,
    Level, Listing, Live, LiveInvitation, LiveKey, LiveRole, LiveUser, Permission, Project, Projects, Reach,
    ReadOnly, RemoteId, Resources, RoleName, Slug, UnreadableRow,
};

/// A page size that is larger than any organisation. Some releases have broken cursors, so one page asks for all members.
/// The cursors are followed only if the server limits the size of a page.
const ALL_MEMBERS: usize = 1_000_000;

/// The number of members that a page asks for if all of them are too many for one answer.
const MEMBERS: usize = 1_000;

/// The most roles that the server lists. The list has no further pages.
const ROLES: usize = 50;

pub(super) async fn read(reader: &Reader, desired: &Desired) -> Result<Live, ReadError> {
    let requests_before = reader.requests();
    // Every known release shows the type of projects, so the query needn't wait for the features.
    let (server, first) = tokio::join!(features(reader), read_first(reader, &ORGANIZATION, desired));
    let (features, read_only) = server?.unzip();
    let has_project_type = features.as_ref().is_some_and(|features| features.contains(PROJECT_TYPE));
    let First { organization: found, unreadable_invitations, asked } = match first {
        Err(_) if !has_project_type => read_first(reader, &ORGANIZATION_WITHOUT_TYPE, desired).await?,
        first => first?,
    };
    let hides_tokens = desired.reads_keys() && found.access_tokens.is_none();
    let reference = json!({ "byId": found.id });
    let known = features.clone().unwrap_or_default();
    let may_modify = found.invitations.is_some() || unreadable_invitations.is_some();
    // Each answer is awaited, even if another one fails, so that the error is the same in every run.
    let (members, invitations, tokens) = tokio::join!(
        read_members(reader, &reference, found.members, &found.owner.user.id, asked)
            .instrument(list_span("users")),
        read_invitations(reader, &reference, (found.invitations, asked), unreadable_invitations),
        read_tokens(reader, &reference, found.access_tokens, hides_tokens)
    );
    let (members, completeness, mut unreadable) = members?;
    let (invitations, unread) = invitations?;
    unreadable.extend(unread);
    let (tokens, unread) = tokens?;
    unreadable.extend(unread);
    let roles = Roles::combine(found.member_roles, &members, &invitations.items, &mut unreadable);
    came_along("roles", &roles.listing);
    let users = members.into_iter().map(|member| into_user(member, &roles));
    let users = Listing { items: distinct(users), completeness };
    let open = invitations.items.into_iter().map(|invitation| into_invitation(invitation, &roles)).collect();
    let assigned = users.items.iter().filter_map(|user| user.resources.as_ref());
    let granted = tokens.iter().flat_map(|list| &list.items).filter_map(|key| key.resources.as_ref());
    let projects = projects(found.projects, assigned.chain(granted));
    let mut gaps = gaps(features.is_none(), desired.reads_keys(), &projects);
    gaps.extend(roles.gap());
    // The platform hides the list of invitations only for this reason.
    gaps.extend((!may_modify).then(|| {
        Gap::new(
            "what this credential may change",
            "The credential lacks `member:modify`. The platform refuses every change of roles, users and invitations that it sends.",
        )
    }));
    gaps.extend(hides_tokens.then(|| {
        Gap::new(
            "the access tokens",
            "The credential lacks `accessToken:modify`, so what the file says of keys stays as it is. Create a token that has it.",
        )
    }));
    let lacks = [(!may_modify, MEMBER_MODIFY), (hides_tokens, ACCESS_TOKEN_MODIFY)];
    Ok(Live {
        organization_id: Some(RemoteId::seen(found.id)),
        invitations_carry_resources: known.contains(INVITATION_RESOURCES),
        features: known,
        roles: Some(roles.listing),
        invitations: Some(Listing { items: open, completeness: invitations.completeness }),
        keys: tokens,
        projects: Some(projects),
        catalogue: Some(Catalogue {
            roles: permissions(found.available_member_permission_groups),
            keys: permissions(found.available_organization_access_token_permission_groups),
        }),
        unreadable,
        read_only: read_only.unwrap_or_default(),
        lacks: lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, permission)| permission).collect(),
        gaps,
        requests: reader.requests() - requests_before,
        ..Live::of(RemoteId::seen(found.slug), users)
    })
}

/// Sends a query about an organisation.
async fn query_organization<T: DeserializeOwned + Send>(
    reader: &Reader,
    query: &Query,
    variables: Value,
) -> Result<T, ReadError> {
    let operation = query.name;
    let found: Found<T> =
        reader.query(query, variables).await.map_err(|error| ReadError::Call { operation, error })?;
    found.organization.ok_or_else(|| ReadError::Missing { operation, field: "organization".to_owned() })
}

/// The answer with the first page of every list.
struct First {
    organization: Organization,
    /// The reason why the invitations can't be read, if they can't.
    unreadable_invitations: Option<String>,
    asked: Asked,
}

/// The extent of what a page asks for.
#[derive(Clone, Copy)]
struct Asked {
    /// The number of members.
    members: usize,
    /// True if members and invitations show everything of their roles.
    role_details: bool,
}

/// Reads the first page of every list. If all members are too many for one answer, asks for fewer. If the list of roles is
/// cut off, and somebody has a role that it lacks, asks for the details of such roles, too.
async fn read_first(reader: &Reader, query: &Query, desired: &Desired) -> Result<First, ReadError> {
    let read = async |asked| read_permitted(reader, query, desired, asked).await;
    let asked = Asked { members: ALL_MEMBERS, role_details: false };
    let first = match read(asked).await {
        Err(ReadError::Call { error, .. }) if error.may_ask_for_too_much() => {
            read(Asked { members: MEMBERS, ..asked }).await?
        }
        first => first?,
    };
    let First { organization, asked, .. } = &first;
    let listed = organization.member_roles.as_ref().map(|list| list.edges.as_slice()).unwrap_or_default();
    if listed.len() < ROLES && organization.member_roles.is_some() {
        return Ok(first);
    }
    let listed: BTreeSet<&EcoString> = listed.iter().filter_map(Row::as_read).map(|edge| &edge.node.id).collect();
    let members = organization.members.edges.iter().filter_map(Row::as_read).map(|edge| &edge.node.role);
    let invitations = organization.invitations.iter().flat_map(|page| &page.edges).filter_map(Row::as_read);
    let mut held = members.chain(invitations.map(|edge| &edge.node.role));
    let asked = Asked { role_details: true, ..*asked };
    if held.any(|role| !listed.contains(&role.id)) { read(asked).await } else { Ok(First { asked, ..first }) }
}

/// Reads the first page of every list that the credential may see.
async fn read_permitted(
    reader: &Reader,
    query: &Query,
    desired: &Desired,
    asked: Asked,
) -> Result<First, ReadError> {
    let keys = desired.reads_keys();
    let variables = |keys: bool| {
        json!({
            "organization": { "bySelector": { "organizationSlug": *desired.organization } },
            "members": asked.members,
            "keys": keys,
            "invitations": true,
            "roleDetails": asked.role_details,
        })
    };
    let (organization, unreadable_invitations) = match read_organization(reader, query, variables(keys)).await {
        // Without the permission for tokens, the whole answer is empty. A credential that lacks more is refused again.
        Err(refused) if keys && refused.is_refused_credential() => {
            read_organization(reader, query, variables(false)).await.map_err(|_| refused)?
        }
        found => found?,
    };
    Ok(First { organization, unreadable_invitations, asked })
}

/// Reads an organisation. If the server fails on its invitations, reads everything else, and returns why the
/// invitations can't be read.
async fn read_organization(
    reader: &Reader,
    query: &Query,
    mut variables: Value,
) -> Result<(Organization, Option<String>), ReadError> {
    let concerns_invitations =
        |error: &GraphQlError| error.path.get(1).is_some_and(|field| field == "invitations");
    match query_organization(reader, query, variables.clone()).await {
        // A single invitation with a role of another organisation makes the whole list fail (measured on Hive
        // 8.1.2).
        Err(ReadError::Call { error: CallError::Partial(errors), .. })
            if errors.iter().all(concerns_invitations) =>
        {
            variables["invitations"] = Value::Bool(false);
            let why = "the platform fails to list them, as it does if one has a role of another organisation. Cancel that one in the web app";
            Ok((query_organization(reader, query, variables).await?, Some(why.to_owned())))
        }
        found => found.map(|found| (found, None)),
    }
}

/// Invitations can contain resources.
const INVITATION_RESOURCES: &str = "invitations with resources";
/// One mutation deletes tokens of every kind.
pub(super) const DELETE_ACCESS_TOKEN: &str = "deleteAccessToken";
/// The API shows the type of a project.
const PROJECT_TYPE: &str = "Project.type";

/// Returns the server's features that only some releases have, and what must not be updated because it has inputs that
/// rolecall doesn't know. Returns nothing if it refuses to tell. Any other failure is
/// a failed read: on a server that is taken for an old one, invitations are sent without access.
async fn features(reader: &Reader) -> Result<Option<(BTreeSet<&'static str>, Vec<ReadOnly>)>, ReadError> {
    let answer: Features = match reader.query_once(&FEATURES).await {
        Ok(Features { mutation: None, .. }) => return Ok(None),
        Ok(answer) => answer,
        Err(error) if error.refuses_introspection() => return Ok(None),
        Err(error) => return Err(ReadError::Call { operation: FEATURES.name, error }),
    };
    let has = |kind: &Option<Introspected>, name: &str| {
        let kind = kind.as_ref();
        let fields = kind.and_then(|kind| kind.fields.as_ref().or(kind.input_fields.as_ref()));
        fields.is_some_and(|fields| fields.iter().any(|field| field.name == name))
    };
    let wanted = [
        (INVITATION_RESOURCES, has(&answer.invitation, "resources")),
        (DELETE_ACCESS_TOKEN, has(&answer.mutation, "deleteAccessToken")),
        (PROJECT_TYPE, has(&answer.project, "type")),
    ];
    // Each of these updates replaces the whole record.
    let replaced =
        [(Kind::User, "assignMemberRole", &answer.assignment), (Kind::Role, "updateMemberRole", &answer.role)];
    let read_only = replaced.into_iter().filter_map(|(kind, operation, input)| {
        let names = input.iter().filter_map(|it| it.input_fields.as_ref()).flatten();
        let new = new_inputs(USED, operation, names.map(|field| &*field.name));
        (!new.is_empty()).then(|| ReadOnly::new_input(kind, operation, &new))
    });
    let features = wanted.into_iter().filter(|(_, has)| *has).map(|(feature, _)| feature).collect();
    Ok(Some((features, read_only.collect())))
}

async fn read_members(
    reader: &Reader,
    organization: &Value,
    first: Page<WireMember>,
    owner: &str,
    asked: Asked,
) -> Result<(Vec<WireMember>, Completeness, Vec<UnreadableRow>), ReadError> {
    let read_page = |after: String| async move {
        let Asked { members, role_details } = asked;
        let variables =
            json!({ "organization": organization, "first": members, "after": after, "roleDetails": role_details });
        query_organization::<MembersPage>(reader, &MEMBERS_PAGE, variables).await.map(|found| found.members)
    };
    let collected = follow(first, &MEMBER, read_page).await?;
    let completeness = match gap_in_members(&collected, owner) {
        Some(why) => Completeness::Broken { why },
        None => completeness_of(collected.pages.len()),
    };
    record_list(&Span::current(), collected.pages.len(), collected.items.len(), &completeness);
    Ok((collected.items, completeness, collected.unread))
}

/// Returns a list that the platform shows only with a permission.
fn hidden<T>(list: &'static str, what: &str, permission: &str) -> Listing<T> {
    unlisted(list, format!("the credential may not see {what}. Give it the permission `{permission}`"))
}

/// Returns a list of which nothing can be read.
fn unlisted<T>(list: &'static str, why: String) -> Listing<T> {
    let listing = Listing { items: Vec::new(), completeness: Completeness::Broken { why } };
    came_along(list, &listing);
    listing
}

async fn read_invitations(
    reader: &Reader,
    organization: &Value,
    (first, asked): (Option<Page<WireInvitation>>, Asked),
    unreadable: Option<String>,
) -> Result<Read<WireInvitation>, ReadError> {
    if let Some(why) = unreadable {
        return Ok((unlisted("invitations", why), Vec::new()));
    }
    let Some(first) = first else {
        return Ok((hidden("invitations", "invitations", MEMBER_MODIFY), Vec::new()));
    };
    let page = |after: String| async move {
        let variables = json!({ "organization": organization, "after": after, "roleDetails": asked.role_details });
        let found: InvitationsPage = query_organization(reader, &INVITATIONS_PAGE, variables).await?;
        let field = "organization.invitations".to_owned();
        found.invitations.ok_or(ReadError::Missing { operation: INVITATIONS_PAGE.name, field })
    };
    let list = list_span("invitations");
    let collected = follow(first, &INVITATION, page).instrument(list.clone()).await?;
    let email = |invitation: &WireInvitation| invitation.email.0.as_str().to_owned();
    Ok(listing(collected, email, ("invitations", &list)))
}

/// Reads the access tokens, or returns nothing if the file has none.
async fn read_tokens(
    reader: &Reader,
    organization: &Value,
    first: Option<Page<WireToken>>,
    hides_tokens: bool,
) -> Result<(Option<Listing<LiveKey>>, Vec<UnreadableRow>), ReadError> {
    let Some(first) = first else {
        return Ok((hides_tokens.then(|| hidden("keys", "access tokens", ACCESS_TOKEN_MODIFY)), Vec::new()));
    };
    let page = |after: String| async move {
        let variables = json!({ "organization": organization, "after": after });
        let found: AccessTokensPage = query_organization(reader, &ACCESS_TOKENS_PAGE, variables).await?;
        Ok(found.access_tokens)
    };
    let list = list_span("keys");
    let collected = follow(first, &TOKEN, page).instrument(list.clone()).await?;
    let (Listing { items, completeness }, unread) =
        listing(collected, |token| token.id.0.to_string(), ("access tokens", &list));
    let mut items: Vec<LiveKey> = items.into_iter().map(into_key).collect();
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((Some(Listing { items, completeness }), unread))
}

/// A list, and its rows that can't be read.
type Read<T> = (Listing<T>, Vec<UnreadableRow>);

/// Returns a list sorted by its keys. A list that repeats a row may skip others as well, so it is incomplete.
fn listing<T>(collected: Collected<T>, key: impl Fn(&T) -> String, (what, list): (&str, &Span)) -> Read<T> {
    let Collected { items, unread, pages, endless } = collected;
    let rows = items.len();
    let items: BTreeMap<String, T> = items.into_iter().map(|item| (key(&item), item)).collect();
    let completeness = match endless {
        Some(why) => Completeness::Broken { why: format!("the list of {what} has no end: {why}") },
        None if items.len() < rows => {
            Completeness::Broken { why: format!("the pages of {what} repeat rows, so they may skip others") }
        }
        None => completeness_of(pages.len()),
    };
    record_list(list, pages.len(), items.len(), &completeness);
    (Listing { items: items.into_values().collect(), completeness }, unread)
}

const MEMBER: Fields =
    Fields { kind: Kind::User, id: "/node/user/id", name: "/node/user/email", roles: "/node/role/name" };

/// Invitations have an id that must not be read: see [`WireInvitation`].
const INVITATION: Fields =
    Fields { kind: Kind::Invitation, id: "/node/no-id", name: "/node/email", roles: "/node/role/name" };

const TOKEN: Fields = Fields { kind: Kind::Key, id: "/node/id", name: "/node/title", roles: "" };

const ROLE: Fields = Fields { kind: Kind::Role, id: "/node/id", name: "/node/name", roles: "" };

/// The roles of the organisation, and those of other organisations that its users have.
struct Roles {
    listing: Listing<LiveRole>,
    /// The ids of roles of another organisation. The server allows their assignment (measured on Hive 8.1.2), and
    /// they may have the same names as the organisation's own roles.
    foreign: BTreeSet<EcoString>,
}

impl Roles {
    /// Combines the listed roles with those that users and invitations have.
    ///
    /// For example, Sam has the role `Auditor`, which isn't listed. If the list is cut off at 50 roles and shows
    /// no other `Auditor`, it is a role of this organisation. If the list is complete, it can only be a role of
    /// another one.
    fn combine(
        listed: Option<List<WireRole>>,
        members: &[WireMember],
        invitations: &[WireInvitation],
        unreadable: &mut Vec<UnreadableRow>,
    ) -> Self {
        let answered = listed.is_some();
        let listed = listed.map(|list| list.edges).unwrap_or_default();
        let truncated = !answered || listed.len() >= ROLES;
        let mut unread = Vec::new();
        let listed: Vec<WireRole> = nodes(listed, &ROLE, &mut unread).collect();
        let unread_ids = rows::ids(&unread);
        unreadable.extend(unread);
        let mut names: BTreeSet<EcoString> = listed.iter().map(|role| role.name.clone()).collect();
        let mut items: BTreeMap<EcoString, LiveRole> =
            listed.into_iter().map(|role| (role.id.clone(), into_role(role))).collect();
        let mut foreign = BTreeSet::new();
        let held = members.iter().map(|member| &member.role);
        for role in held.chain(invitations.iter().map(|invitation| &invitation.role)) {
            if items.contains_key(&role.id) || foreign.contains(&role.id) {
                continue;
            }
            if unread_ids.iter().any(|id| id.as_str() == role.id) {
                // It is one of this organisation, and its own row can't be read.
                continue;
            }
            match role.detailed().filter(|role| truncated && names.insert(role.name.clone())) {
                Some(role) => {
                    items.insert(role.id.clone(), into_role(role));
                }
                None => {
                    foreign.insert(role.id.clone());
                }
            }
        }
        let why = if answered {
            format!("the platform lists {ROLES} roles at most, so there may be others")
        } else {
            "the platform listed no roles, although at least two are built in".to_owned()
        };
        let completeness = if truncated { Completeness::Broken { why } } else { Completeness::Proven };
        Self { listing: Listing { items: items.into_values().collect(), completeness }, foreign }
    }

    /// Returns the gap for roles of another organisation: what they allow can't be read from here.
    fn gap(&self) -> Option<Gap> {
        let count = self.foreign.len();
        (count > 0).then(|| {
            Gap::new(
                "roles of another organisation",
                format!("Members have {count} of them. They are shown with these roles, and rolecall never assigns them."),
            )
        })
    }

    /// Returns the name of a role. For a role of another organisation it includes the id, so that no listed role
    /// has the same name.
    fn name(&self, role: &HeldRole) -> RoleName {
        if self.foreign.contains(&role.id) {
            RoleName::seen(format!("{} (of another organisation, {})", role.name, role.id))
        } else {
            RoleName::seen(role.name.clone())
        }
    }
}

fn into_role(wire: WireRole) -> LiveRole {
    let WireRole { id, name, description, is_locked, permissions } = wire;
    LiveRole {
        id: RemoteId::seen(id),
        name: RoleName::seen(name),
        renamed_from: None,
        description: description.into(),
        permissions: allowed(permissions),
        locked: is_locked,
    }
}

/// Returns the permissions of a role, without the one that every role has.
pub(super) fn allowed(permissions: Vec<EcoString>) -> BTreeSet<Permission> {
    permissions.into_iter().filter(|permission| permission != DESCRIBE).map(Permission::seen).collect()
}

fn into_user(wire: WireMember, roles: &Roles) -> LiveUser {
    let WireMember { is_owner, user, role, resource_assignment } = wire;
    let role = BTreeSet::from([roles.name(&role)]);
    LiveUser {
        resources: Some(from_wire(resource_assignment)),
        account_status: if is_owner { AccountStatus::Owner } else { AccountStatus::Ordinary },
        ..LiveUser::of(RemoteId::seen(user.id.0), user.email.0, role)
    }
}

fn into_invitation(wire: WireInvitation, roles: &Roles) -> LiveInvitation {
    let WireInvitation { email: Mail(email), created_at, role } = wire;
    LiveInvitation { email, role: roles.name(&role), created: Some(created_at), teams: None, expired: false }
}

fn into_key(wire: WireToken) -> LiveKey {
    let WireToken { id: Text(id), title: Text(title), description, permissions, resources, created_at } = wire;
    LiveKey {
        id: RemoteId::seen(id),
        name: KeyName::seen(title),
        description,
        roles: None,
        permissions: Some(permissions.into_iter().map(Permission::seen).collect()),
        resources: Some(from_wire(resources)),
        expires: None,
        created: Some(created_at),
        enabled: true,
    }
}

fn permissions(groups: Vec<PermissionGroup>) -> BTreeMap<Permission, KnownPermission> {
    let known = |WirePermission { id, level, depends_on_id }: WirePermission| {
        let level = match level.as_deref() {
            Some("ORGANIZATION") => Some(Level::Organization),
            Some("PROJECT") => Some(Level::Project),
            Some("TARGET") => Some(Level::Target),
            Some("SERVICE") => Some(Level::Service),
            Some("APP_DEPLOYMENT") => Some(Level::AppDeployment),
            Some(_) | None => None,
        };
        (Permission::seen(id), KnownPermission { needs: depends_on_id.map(Permission::seen), level })
    };
    groups.into_iter().flat_map(|group| group.permissions).map(known).collect()
}

/// Returns the projects that the credential may see. Assignments name projects that it may not see, too: then the
/// list is partial.
fn projects<'a>(listed: List<WireProject>, assigned: impl Iterator<Item = &'a Resources>) -> Projects {
    let mut projects = Projects::default();
    let rows = listed.edges.len();
    for Edge { node: WireProject { id, slug, kind, targets } } in listed.edges.into_iter().filter_map(Row::read) {
        let targets = targets.edges.into_iter().map(|edge| edge.node);
        let targets = targets.map(|target| (Slug::seen(target.slug), RemoteId::seen(target.id))).collect();
        // Nobody knows whether a new type of project has services.
        let single = kind.and_then(|kind| match &*kind {
            "SINGLE" => Some(true),
            "FEDERATION" | "STITCHING" => Some(false),
            _ => None,
        });
        projects.by_slug.insert(Slug::seen(slug), Project { id: RemoteId::seen(id), single, targets });
    }
    let mut assigned_projects = assigned.filter_map(|resources| match resources {
        Reach::Only(projects) => Some(projects.keys()),
        Reach::All => None,
    });
    projects.partial = projects.by_slug.len() < rows
        || assigned_projects.any(|mut slugs| slugs.any(|slug| !projects.by_slug.contains_key(slug)));
    projects
}

/// Returns everything that Hive's API doesn't show, or doesn't show to this credential.
fn gaps(silent: bool, keys: bool, projects: &Projects) -> Vec<Gap> {
    let mut gaps = vec![
        Gap::new(
            "resources of invitations",
            "An open invitation shows only its role. Its resources can be read once the user has accepted it.",
        )
        .permanent(&[(Kind::Invitation, Action::Cancel)]),
        Gap::new(
            "users provisioned by SCIM",
            "They look like all other users, and what the API shows of them may differ from what Hive enforces.",
        )
        .permanent(&[(Kind::User, Action::RemoveAccess)]),
    ];
    if keys {
        let expiry = Gap::new("expiry of access tokens", "The public API neither accepts nor shows it.");
        gaps.push(expiry.permanent(&[(Kind::Key, Action::Create)]));
    } else {
        gaps.push(Gap::new("access tokens", "They are not read, since the file has no `keys`.").permanent(&[]));
    }
    if projects.partial {
        gaps.push(Gap::new(
            "some projects",
            "Users have resources in projects that the credential may not see. Give it `project:describe` on all projects.",
        ));
    }
    if silent {
        gaps.push(Gap::new(
            "the server's release",
            "The server refuses introspection, so rolecall uses only what every release has.",
        ));
    }
    gaps
}
