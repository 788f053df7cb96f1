//! Reading an organisation: what the server is able to do, everything in one request, and further pages.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::distinct::distinct;
use super::ReadError;
use super::documents::{
    ACCESS_TOKENS_PAGE, FEATURES, INVITATIONS_PAGE, MEMBERS_PAGE, ORGANIZATION, ORGANIZATION_WITHOUT_TYPE,
};
use super::list::{Collected, follow, gap_in_members, whole};
use super::resources::from_wire;
use super::rules::DESCRIBE;
use super::wire::{
    AccessTokensPage, Features, Found, Introspected, InvitationsPage, List, MembersPage, Organization, Page,
    PermissionGroup, WireInvitation, WireMember, WireProject, WireRole, WireToken,
};
use rolecall_graphql::{CallError, GraphQlError, Query, Reader, TransportError};
use rolecall_model::{
    AccountStatus, Catalogue, Completeness, Desired, Email, Feature, Gap, KeyName, Listing, Live, LiveInvitation,
    LiveKey, LiveRole, LiveUser, Permission, Project, Projects, Reach, RemoteId, Resources, RoleName, Slug,
};

/// Members asked for in one page.
const MEMBERS: usize = 1_000;

/// More members than any organisation has.
const ALL_MEMBERS: usize = 1_000_000;

/// The most roles that a list shows. It has no pages.
const ROLES: usize = 50;

pub(super) async fn read(reader: &Reader, desired: &Desired) -> Result<Live, ReadError> {
    let already = reader.requests();
    let features = features(reader).await?;
    let typed = features.as_ref().is_some_and(|features| features.contains(&Feature::ProjectType));
    let query = if typed { &ORGANIZATION } else { &ORGANIZATION_WITHOUT_TYPE };
    let keys = desired.speaks_of_keys();
    let variables = json!({
        "organization": { "bySelector": { "organizationSlug": *desired.organization } },
        "members": MEMBERS,
        "keys": keys,
        "invitations": true,
    });
    let (found, unreadable) = ask_organization(reader, query, variables).await?;
    let reference = json!({ "byId": found.id });
    let known = features.clone().unwrap_or_default();
    let (members, completeness) = read_members(reader, &reference, found.members, &found.owner.user.id).await?;
    let invitations = match unreadable {
        Some(why) => Listing { items: Vec::new(), completeness: Completeness::Broken { why } },
        None => read_invitations(reader, &reference, found.invitations).await?,
    };
    let tokens = match found.access_tokens {
        Some(first) => Some(read_tokens(reader, &reference, first).await?),
        None => None,
    };
    let roles = Roles::of(found.member_roles, &members, &invitations.items);
    let users = members.into_iter().map(|member| into_user(member, &roles));
    let users = distinct(users.map(|user| (user.id.clone(), user)));
    let users = Listing { items: users.into_values().collect(), completeness };
    let open = invitations.items.into_iter().map(|invitation| into_invitation(invitation, &roles)).collect();
    let assigned = users.items.iter().filter_map(|user| user.resources.as_ref());
    let granted = tokens.iter().flat_map(|list| &list.items).filter_map(|key| key.resources.as_ref());
    let projects = projects(found.projects, assigned.chain(granted));
    let mut gaps = gaps(features.is_none(), keys, &projects);
    gaps.extend(roles.gap());
    Ok(Live {
        organization_id: Some(RemoteId::seen(found.id)),
        features: known,
        roles: Some(roles.listing),
        invitations: Some(Listing { items: open, completeness: invitations.completeness }),
        keys: tokens,
        projects: Some(projects),
        catalogue: Some(Catalogue {
            roles: permissions(found.available_member_permission_groups),
            keys: permissions(found.available_organization_access_token_permission_groups),
        }),
        gaps,
        requests: reader.requests() - already,
        ..Live::of(RemoteId::seen(found.slug), users)
    })
}

/// An organisation, or why there is none.
async fn ask<T: DeserializeOwned>(reader: &Reader, query: &Query, variables: Value) -> Result<T, ReadError> {
    let operation = query.name;
    let found: Found<T> =
        reader.query(query, variables).await.map_err(|error| ReadError::Call { operation, error })?;
    found.organization.ok_or_else(|| ReadError::Missing { operation, field: "organization".to_owned() })
}

/// Everything, or everything but the invitations, and why those can't be had.
async fn ask_organization(
    reader: &Reader,
    query: &Query,
    mut variables: Value,
) -> Result<(Organization, Option<String>), ReadError> {
    let of_invitations = |error: &GraphQlError| error.path.get(1).is_some_and(|field| field == "invitations");
    match ask(reader, query, variables.clone()).await {
        // One invitation with a role of another organisation makes all of them fail (measured on Hive 8.1.2).
        Err(ReadError::Call { error: CallError::Partial(errors), .. }) if errors.iter().all(of_invitations) => {
            variables["invitations"] = Value::Bool(false);
            let why = "the platform fails on them, as it does where one carries a role of another organisation; cancel that one in the web app";
            Ok((ask(reader, query, variables).await?, Some(why.to_owned())))
        }
        found => found.map(|found| (found, None)),
    }
}

/// What this server has of what not every release has. None: it doesn't say.
async fn features(reader: &Reader) -> Result<Option<BTreeSet<Feature>>, ReadError> {
    let answer: Features = match reader.query_once(&FEATURES).await {
        Ok(answer) => answer,
        Err(
            CallError::GraphQl(_)
            | CallError::Partial(_)
            | CallError::Shape { .. }
            | CallError::Status { status: 400, .. },
        ) => return Ok(None),
        Err(error) => return Err(ReadError::Call { operation: FEATURES.name, error }),
    };
    let has = |kind: &Option<Introspected>, name: &str| {
        let kind = kind.as_ref();
        let fields = kind.and_then(|kind| kind.fields.as_ref().or(kind.input_fields.as_ref()));
        fields.is_some_and(|fields| fields.iter().any(|field| field.name == name))
    };
    let wanted = [
        (Feature::InvitationResources, has(&answer.invitation, "resources")),
        (Feature::DeleteAccessToken, has(&answer.mutation, "deleteAccessToken")),
        (Feature::ProjectType, has(&answer.project, "type")),
    ];
    Ok(Some(wanted.into_iter().filter(|(_, has)| *has).map(|(feature, _)| feature).collect()))
}

async fn read_members(
    reader: &Reader,
    organization: &Value,
    first: Page<WireMember>,
    owner: &str,
) -> Result<(Vec<WireMember>, Completeness), ReadError> {
    let ask_page = |first: usize, after: Option<String>| async move {
        let variables = json!({ "organization": organization, "first": first, "after": after });
        ask::<MembersPage>(reader, &MEMBERS_PAGE, variables).await.map(|found| found.members)
    };
    // Cursors can't be trusted on every release, so all are asked for at once, unless the server gives no more on a
    // page than it likes, or they would be too many for one answer.
    let unlimited = first.page_info.has_next_page && first.edges.len() >= MEMBERS;
    let all = if unlimited { Some(ask_page(ALL_MEMBERS, None).await) } else { None };
    let collected = match all {
        Some(Err(ReadError::Call { error: CallError::Transport(TransportError::TooLarge(_)), .. })) | None => {
            follow(first, |after| ask_page(MEMBERS, Some(after))).await?
        }
        Some(all) => follow(all?, |after| ask_page(ALL_MEMBERS, Some(after))).await?,
    };
    let gap = gap_in_members(&collected, owner);
    let completeness = match gap {
        Some(why) => Completeness::Broken { why },
        None => whole(collected.pages.len()),
    };
    Ok((collected.items, completeness))
}

async fn read_invitations(
    reader: &Reader,
    organization: &Value,
    first: Option<Page<WireInvitation>>,
) -> Result<Listing<WireInvitation>, ReadError> {
    let hidden = || Listing {
        items: Vec::new(),
        completeness: Completeness::Broken {
            why: "the credential may not see invitations, for which it needs `member:modify`".to_owned(),
        },
    };
    let Some(first) = first else { return Ok(hidden()) };
    let page = |after: String| async move {
        let variables = json!({ "organization": organization, "after": after });
        let found: InvitationsPage = ask(reader, &INVITATIONS_PAGE, variables).await?;
        let field = "organization.invitations".to_owned();
        found.invitations.ok_or(ReadError::Missing { operation: INVITATIONS_PAGE.name, field })
    };
    let collected = follow(first, page).await?;
    Ok(listing(collected, |invitation| invitation.email.clone(), "invitations"))
}

async fn read_tokens(
    reader: &Reader,
    organization: &Value,
    first: Page<WireToken>,
) -> Result<Listing<LiveKey>, ReadError> {
    let page = |after: String| async move {
        let variables = json!({ "organization": organization, "after": after });
        let found: AccessTokensPage = ask(reader, &ACCESS_TOKENS_PAGE, variables).await?;
        Ok(found.access_tokens)
    };
    let collected = follow(first, page).await?;
    let Listing { items, completeness } = listing(collected, |token| token.id.clone(), "access tokens");
    let mut items: Vec<LiveKey> = items.into_iter().map(into_key).collect();
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Listing { items, completeness })
}

/// A list in the order of its keys. One that repeats skips, too.
fn listing<T>(collected: Collected<T>, key: impl Fn(&T) -> String, what: &str) -> Listing<T> {
    let (rows, pages, endless) = (collected.items.len(), collected.pages.len(), collected.endless);
    let items: BTreeMap<String, T> = collected.items.into_iter().map(|item| (key(&item), item)).collect();
    let completeness = if endless || items.len() < rows {
        Completeness::Broken { why: format!("the pages of {what} repeat or break off") }
    } else {
        whole(pages)
    };
    Listing { items: items.into_values().collect(), completeness }
}

/// The roles of the organisation, and how each that somebody has is to be called.
struct Roles {
    listing: Listing<LiveRole>,
    /// Of another organisation, by id. The server lets them be given (measured on Hive 8.1.2), and their names may be
    /// those of our own.
    foreign: BTreeSet<String>,
}

impl Roles {
    /// Those that are listed. One that only its holders show is ours where the list isn't all and no other has its
    /// name.
    fn of(listed: Option<List<WireRole>>, members: &[WireMember], invitations: &[WireInvitation]) -> Self {
        let answered = listed.is_some();
        let listed: Vec<WireRole> = listed.map(|list| list.into_nodes().collect()).unwrap_or_default();
        let truncated = !answered || listed.len() >= ROLES;
        let mut names: BTreeSet<String> = listed.iter().map(|role| role.name.clone()).collect();
        let mut items: BTreeMap<String, LiveRole> =
            listed.into_iter().map(|role| (role.id.clone(), into_role(role))).collect();
        let mut foreign = BTreeSet::new();
        let held = members.iter().map(|member| &member.role);
        for role in held.chain(invitations.iter().map(|invitation| &invitation.role)) {
            if items.contains_key(&role.id) || foreign.contains(&role.id) {
                continue;
            }
            if truncated && names.insert(role.name.clone()) {
                items.insert(role.id.clone(), into_role(role.clone()));
            } else {
                foreign.insert(role.id.clone());
            }
        }
        let why = if answered {
            format!("the platform lists {ROLES} roles and no more; one that isn't shown may be there")
        } else {
            "the platform listed none, and at least two are built in".to_owned()
        };
        let completeness = if truncated { Completeness::Broken { why } } else { Completeness::Proven };
        Self { listing: Listing { items: items.into_values().collect(), completeness }, foreign }
    }

    /// Somebody has a role that can't be told what it allows from here.
    fn gap(&self) -> Option<Gap> {
        let count = self.foreign.len();
        (count > 0).then(|| Gap {
            what: "roles of another organisation".to_owned(),
            why: format!(
                "{count} of them given here; whoever has one is shown with it, and it is never given again"
            ),
        })
    }

    /// What a role is called. No role that can be listed has the name of a foreign one.
    fn name(&self, role: &WireRole) -> RoleName {
        if self.foreign.contains(&role.id) {
            RoleName::seen(format!("{} (of another organisation, {})", role.name, role.id))
        } else {
            RoleName::seen(&*role.name)
        }
    }
}

fn into_role(wire: WireRole) -> LiveRole {
    let WireRole { id, name, description, is_locked, permissions } = wire;
    LiveRole {
        id: RemoteId::seen(id),
        name: RoleName::seen(name),
        description,
        permissions: allowed(permissions),
        locked: is_locked,
    }
}

/// What a role allows, without what every role does.
pub(super) fn allowed(permissions: Vec<String>) -> BTreeSet<Permission> {
    permissions.into_iter().filter(|permission| permission != DESCRIBE).map(Permission::seen).collect()
}

fn into_user(wire: WireMember, roles: &Roles) -> LiveUser {
    let WireMember { is_owner, user, role, resource_assignment } = wire;
    let role = BTreeSet::from([roles.name(&role)]);
    LiveUser {
        resources: Some(from_wire(resource_assignment)),
        account_status: if is_owner { AccountStatus::Owner } else { AccountStatus::Ordinary },
        ..LiveUser::of(RemoteId::seen(user.id), Email::seen(&user.email), role)
    }
}

fn into_invitation(wire: WireInvitation, roles: &Roles) -> LiveInvitation {
    let WireInvitation { email, created_at, role } = wire;
    LiveInvitation {
        email: Email::seen(&email),
        role: roles.name(&role),
        created: Some(created_at),
        teams: None,
        expired: false,
    }
}

fn into_key(wire: WireToken) -> LiveKey {
    let WireToken { id, title, description, permissions, resources } = wire;
    LiveKey {
        id: RemoteId::seen(id),
        name: KeyName::seen(title),
        description,
        roles: None,
        permissions: Some(permissions.into_iter().map(Permission::seen).collect()),
        resources: Some(from_wire(resources)),
        expires: None,
        enabled: true,
    }
}

fn permissions(groups: Vec<PermissionGroup>) -> BTreeMap<Permission, Option<Permission>> {
    let all = groups.into_iter().flat_map(|group| group.permissions);
    all.map(|permission| (Permission::seen(permission.id), permission.depends_on_id.map(Permission::seen)))
        .collect()
}

/// What the credential may see of the projects. Assignments name all of theirs, seen or not.
fn projects<'a>(listed: List<WireProject>, assigned: impl Iterator<Item = &'a Resources>) -> Projects {
    let mut projects = Projects::default();
    for WireProject { id, slug, kind, targets } in listed.into_nodes() {
        let targets =
            targets.into_nodes().map(|target| (Slug::seen(target.slug), RemoteId::seen(target.id))).collect();
        let single = kind.map(|kind| kind == "SINGLE");
        projects.by_slug.insert(Slug::seen(slug), Project { id: RemoteId::seen(id), single, targets });
    }
    let mut named = assigned.filter_map(|resources| match resources {
        Reach::Only(projects) => Some(projects.keys()),
        Reach::All => None,
    });
    projects.partial = named.any(|mut slugs| slugs.any(|slug| !projects.by_slug.contains_key(slug)));
    projects
}

/// What this API keeps from every reader, or from this one.
fn gaps(silent: bool, keys: bool, projects: &Projects) -> Vec<Gap> {
    let gap = |what: &str, why: &str| Gap { what: what.to_owned(), why: why.to_owned() };
    let mut gaps = vec![
        gap(
            "resources of invitations",
            "an open invitation shows its role alone; what it reaches shows once it is accepted",
        ),
        gap(
            "who is provisioned by another system",
            "whoever SCIM manages looks like everybody else, and what is shown of them needn't be what is enforced",
        ),
    ];
    if keys {
        gaps.push(gap("expiry of access tokens", "the public API neither takes nor shows it"));
    } else {
        gaps.push(gap("access tokens", "not read, since the file speaks of none"));
    }
    if projects.partial {
        gaps.push(gap(
            "some projects",
            "assignments name projects that the credential may not see, for which it needs `project:describe` on all",
        ));
    }
    if silent {
        gaps.push(gap(
            "the server's release",
            "it doesn't introspect, so that only what every release has is used",
        ));
    }
    gaps
}
