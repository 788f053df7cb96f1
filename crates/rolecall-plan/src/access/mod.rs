//! Answers who has what: every user, invitation, key and team of an organisation, with everything that they may do,
//! and the line of a file that says so.
//!
//! For example, Jane has the role `Developer` on the project `shop`. The role allows `project:describe`, which is about
//! projects, and `member:describe`, which is about the organisation. So she may do the one at `shop`, and the other at
//! `organization`. If the file gives her `Viewer`, no line of it states this grant.
//!
//! The model is pure, like a plan, and reads the same [`PlanInput`]. Reports show it, and [`delta`] compares two of
//! them: what somebody may do after a plan and not before.

mod ability;
mod delta;
mod filter;
mod holders;
mod stated;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

pub(crate) use delta::{Meaning, meaning};
pub use delta::{access_after, delta};
pub use filter::Filter;
pub(crate) use holders::new_key;

use super::role_names::resolve_role_names;
use super::{PlanInput, renames};
use ability::parts;
use rolecall_model::{
    Ability, Address, App, Completeness, Desired, Email, Ending, Expiry, Gap, HoldReason, Identity, Kind, Level,
    ManualStep, Part, Permission, Place, Quirk, RemoteId, Resources, RoleName, TeamName, Tolerated,
};

/// Who has what in one organisation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Access {
    pub identity: Identity,
    /// Everybody and everything that has access, or may get it by accepting an invitation. Sorted by address.
    pub holders: Vec<Holder>,
    /// Rows of lists that can't be read. Somebody may have access by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
    /// The completeness of each list that was read.
    pub completeness: BTreeMap<String, Completeness>,
    /// Facts that the API doesn't show.
    pub gaps: Vec<Gap>,
    /// Apps that call APIs, with the names of their keys. rolecall doesn't manage them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<App>,
    /// The permissions that the platform names. Empty if it doesn't tell what a role allows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<Permission, PermissionInfo>,
    /// The number of requests that the read sent.
    pub requests: usize,
}

/// A permission, as the platform describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PermissionInfo {
    /// The parts of the organisation that it is about. Absent if rolecall doesn't know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// True if it lets its holder give access to themselves or to others.
    pub privileged: bool,
}

/// A row that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unreadable {
    pub address: Address,
    pub why: String,
    /// The roles, as far as the row has them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<RoleName>,
    /// True if one of the roles can give access to others.
    pub privileged: bool,
}

/// A user, an invitation, a key or a team, with its access.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Holder {
    pub address: Address,
    /// The address of the person, as the platform spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// The address of the person in people files, if the one on this platform is an alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Email>,
    /// The first and the last name, if the platform shows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub status: Status,
    /// True if the access lets its holder give access to themselves or to others.
    pub privileged: bool,
    /// True if rolecall signs in with this user or this key.
    pub own: bool,
    pub grants: Vec<Grant>,
    /// The users of a team, with the admins who are in every team.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Expiry>,
    /// The entry of a file that names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// The line of a file that acknowledges its privileged access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// The access that the files give until a certain time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<Ending>,
    /// The reason why the file tolerates roles that were given by hand, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerated: Option<HoldReason>,
    /// The note of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The id of the user or key at the platform. It isn't shown, because the address has it where it is needed.
    #[serde(skip)]
    pub(crate) id: Option<RemoteId>,
}

/// The entry of a file for a holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    pub place: Place,
    /// True if the entry says that the user or key must not exist.
    pub absent: bool,
}

/// Tells whether access can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Active,
    /// The owner can do everything, whatever their role.
    Owner,
    /// The API doesn't show whether the user can sign in.
    Unknown,
    /// The user hasn't accepted the invitation.
    Invited,
    /// The user can't sign in, or the key is disabled.
    Disabled,
    /// The user was deactivated in the organisation.
    Suspended,
    /// The user waits for the approval of an administrator of the platform.
    Unapproved,
    /// The invitation or the key has expired.
    Expired,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Owner => "owner",
            Self::Unknown => "unknown",
            Self::Invited => "invited",
            Self::Disabled => "disabled",
            Self::Suspended => "suspended",
            Self::Unapproved => "unapproved",
            Self::Expired => "expired",
        }
    }

    /// Returns whether the access works now, as far as the platform shows it.
    pub fn works(self) -> bool {
        matches!(self, Self::Active | Self::Owner | Self::Unknown)
    }
}

/// Access that somebody has by one role in one place, or by the permissions of a key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Grant {
    /// The role in the organisation, or in the team if there is one. Absent if no role gives this access, or if the
    /// role isn't known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamName>,
    pub through: Through,
    /// The permissions that it gives. Absent if the platform doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<BTreeSet<Permission>>,
    /// The parts of the organisation that it applies to.
    pub on: Extent,
    pub privileged: bool,
    /// The line of a file that states it. Absent if no file does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// The reason why somebody has a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// It was given to them.
    Assigned,
    /// They own the organisation.
    Ownership,
    /// They are an admin of the organisation, and so an admin of every team.
    Administration,
    /// It follows when they accept their invitation.
    Invitation,
}

/// The parts of the organisation that a grant applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole organisation, or the whole team of the grant: the platform doesn't divide them.
    Whole,
    Resources(Resources),
    /// The API doesn't show it.
    Unreadable,
}

impl Extent {
    /// Lists the parts as paths, such as `shop/production/services/users`.
    pub fn paths(&self) -> BTreeSet<String> {
        match self {
            Self::Whole => BTreeSet::new(),
            Self::Resources(resources) => resources.paths(),
            Self::Unreadable => BTreeSet::from(["unreadable".to_owned()]),
        }
    }
}

impl Serialize for Extent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.paths().serialize(serializer)
    }
}

impl JsonSchema for Extent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Extent".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The parts of the organisation as paths. Empty: the whole organisation, or the whole team of the grant. `unreadable`: the API doesn't show them.",
            "type": "array",
            "items": { "type": "string" },
        })
    }
}

/// The time since which somebody has the access that they have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Since {
    /// A run of rolecall gave it, and nobody has changed it since.
    Changed { at: Timestamp, run: String },
    /// The platform says when it sent the invitation.
    Invited { at: Timestamp },
    /// A read of an apply has shown the user for the first time. Their access may be newer.
    Seen { at: Timestamp },
}

impl Since {
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Changed { at, .. } | Self::Invited { at } | Self::Seen { at } => *at,
        }
    }
}

/// Returns who has what in an organisation.
pub fn access(input: &PlanInput<'_>) -> Access {
    let mut desired = resolve_role_names(input.desired, input.live).desired;
    // A report has the names that are live now, also of what the file renames.
    let renames = renames::open(&desired, input.live);
    if !renames.is_empty() {
        renames.reversed().rename_in_desired(desired.to_mut());
    }
    of_resolved(&PlanInput { desired: &desired, ..*input })
}

/// Returns who has what, if the file's names of roles are those of the platform.
fn of_resolved(input: &PlanInput<'_>) -> Access {
    let live = input.live;
    let mut holders = holders::holders(input);
    for holder in &mut holders {
        holder.person = holder.email.as_ref().and_then(|email| input.desired.people.get(email).cloned());
    }
    add_remarks(input, &mut holders);
    holders.sort_by(|a, b| a.order().cmp(&b.order()));
    let known = live.catalogue.iter().flat_map(|catalogue| catalogue.roles.iter().chain(&catalogue.keys));
    let permissions = known.map(|(permission, known)| {
        let privileged = input.rules.is_privileged(&BTreeSet::from([permission.clone()]));
        (permission.clone(), PermissionInfo { level: known.level, privileged })
    });
    Access {
        identity: Identity {
            provider: input.desired.provider,
            organization: live.organization.clone(),
            site: input.site.clone(),
        },
        holders,
        unreadable: holders::unreadable(input),
        completeness: live.completeness(),
        gaps: gaps(input),
        apps: live.apps.clone(),
        permissions: permissions.collect(),
        requests: live.requests,
    }
}

fn gaps(input: &PlanInput<'_>) -> Vec<Gap> {
    let mut gaps = super::gaps(input);
    if !input.rules.capabilities().kinds.contains(&Kind::Key) && !input.rules.has(Quirk::ShowsUnmanagedKeys) {
        let step = input.rules.manual_step(ManualStep::HandleKeys);
        gaps.push(Gap::new("keys", format!("The API doesn't show them. Look them up {step}.")));
    }
    if let Some(why) = &input.live.admins_unsure {
        gaps.push(Gap::new("who the admins are", format!("It isn't certain, because {why}.")));
    }
    gaps
}

impl Access {
    /// Returns whether the platform tells what roles allow, so that questions about permissions can be answered.
    pub fn knows_permissions(&self) -> bool {
        !self.permissions.is_empty()
    }

    /// Returns the lists that are incomplete, each with the reason.
    pub fn incomplete(&self) -> impl Iterator<Item = (&str, &str)> {
        broken(&self.completeness)
    }

    /// Returns whether a grant allows something at a part of the organisation, at something within it, or at something
    /// that it is within. What can't be read counts as allowed.
    pub fn can(&self, grant: &Grant, permission: &Permission, at: Option<&Part>) -> bool {
        let Some(permissions) = &grant.permissions else { return self.knows_permissions() };
        let level = self.permissions.get(permission).and_then(|info| info.level);
        permissions.contains(permission)
            && at
                .is_none_or(|at| parts(grant, level).is_none_or(|parts| parts.iter().any(|part| part.touches(at))))
    }

    /// Returns whether a grant applies to a part of the organisation, to something within it, or to something that it
    /// is within. What can't be read counts as applying.
    pub fn applies_to(&self, grant: &Grant, at: &Part) -> bool {
        match &grant.permissions {
            Some(permissions) => permissions.iter().any(|permission| self.can(grant, permission, Some(at))),
            None => parts(grant, None).is_none_or(|parts| parts.iter().any(|part| part.touches(at))),
        }
    }

    /// Returns everything that a holder may do now, whatever the number of grants that allow it. An ability at `shop/*`
    /// is one at everything in `shop`, including what is created later.
    pub fn abilities(&self, holder: &Holder) -> BTreeSet<Ability> {
        if holder.status.works() { self.abilities_by_grants(holder) } else { BTreeSet::new() }
    }

    /// Returns everything that the grants of a holder allow, whether or not the holder can use them.
    fn abilities_by_grants(&self, holder: &Holder) -> BTreeSet<Ability> {
        holder.grants.iter().flat_map(|grant| ability::of(self, grant)).collect()
    }
}

/// Returns the lists that are incomplete, each with the reason.
pub fn broken(lists: &BTreeMap<String, Completeness>) -> impl Iterator<Item = (&str, &str)> {
    lists.iter().filter_map(|(list, completeness)| match completeness {
        Completeness::Broken { why } => Some((list.as_str(), why.as_str())),
        Completeness::Proven | Completeness::Assumed { .. } => None,
    })
}

/// Adds what the files say about holders besides their access.
fn add_remarks(input: &PlanInput<'_>, holders: &mut [Holder]) {
    let Desired { endings, notes, tolerated, .. } = input.desired;
    if endings.is_empty() && notes.is_empty() && tolerated.is_empty() {
        return;
    }
    let mut by_address: BTreeMap<&Address, Vec<&Ending>> = BTreeMap::new();
    for ending in endings {
        by_address.entry(&ending.address).or_default().push(ending);
    }
    let tolerated: BTreeMap<&str, &Tolerated> = tolerated.iter().map(|it| (it.email.key(), it)).collect();
    for holder in holders {
        let listed = Address { id: None, ..holder.address.listed() };
        let found = by_address.get(&holder.address.listed()).or_else(|| by_address.get(&listed));
        holder.endings = found.into_iter().flatten().map(|ending| (*ending).clone()).collect();
        holder.note = input.desired.note_of(&holder.address).map(ToOwned::to_owned);
        let it = tolerated
            .get(&*holder.address.name)
            .filter(|it| listed.kind == Kind::User && !it.until.is_past(input.now));
        holder.tolerated = it.and_then(|Tolerated { roles, until, reason, .. }| {
            let held = holder.grants.iter().filter_map(|grant| grant.role.clone());
            let roles: BTreeSet<RoleName> = held.filter(|role| roles.contains(role)).collect();
            let (until, reason) = (*until, reason.clone());
            (!roles.is_empty()).then_some(HoldReason::Tolerated { roles, until, reason })
        });
    }
}

impl Holder {
    /// Returns the address by which a person is known on all platforms.
    pub fn person(&self) -> Option<&Email> {
        self.person.as_ref().or(self.email.as_ref())
    }

    /// Returns whether the access works now, or once an open invitation is accepted.
    fn can_use(&self) -> bool {
        self.status.works() || self.status == Status::Invited
    }

    /// Returns the key by which holders are sorted. Two invitations can differ only in the spelling of the address.
    fn order(&self) -> (&Address, Option<&str>) {
        (&self.address, self.email.as_ref().map(Email::as_str))
    }

    /// Returns whether no file states a grant of this holder, or the holder itself, and no file acknowledges it. A
    /// holder who must be removed is in a file. rolecall's own user, its own key and the owner need no entry.
    pub fn is_unmanaged(&self) -> bool {
        let unstated = || self.grants.iter().any(|grant| grant.place.is_none());
        !self.own
            && self.status != Status::Owner
            && self.acknowledged.is_none()
            && self.entry.as_ref().is_none_or(|entry| !entry.absent && unstated())
    }
}
