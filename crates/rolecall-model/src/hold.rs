//! A [`Hold`]: a difference that rolecall sees and deliberately doesn't change, with its [`HoldReason`].

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Change, Expiry, Finding, Lifetime, RemoteId, RoleName, TeamName, Until};

/// A difference that rolecall sees and doesn't change, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    pub address: Address,
    pub class: HoldClass,
    pub reason: HoldReason,
}

/// The class of a hold. Only blocked holds count as drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HoldClass {
    /// Somebody has to act.
    #[default]
    Blocked,
    /// Time or another person will resolve the difference.
    Waiting,
    /// The file doesn't ask for a change, or none is needed.
    Ignored,
}

/// The reason why rolecall doesn't change a difference. Its `Display` is the sentence that people read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum HoldReason {
    /// The entity is live and isn't in the file, and the file doesn't manage unlisted ones. Privileged access that
    /// isn't known is drift.
    Unmanaged {
        privileged: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        known: Option<Known>,
    },
    /// Somebody gave the user these roles by hand, and the file tolerates them for a while.
    Tolerated { roles: BTreeSet<RoleName>, until: Until, reason: String },
    /// The file lists the entity, and the privileged access that it has is in a field that the file doesn't write.
    PrivilegeNotWritten { field: String, live: String },
    /// The file says that the user is disabled, and the user doesn't exist. rolecall doesn't invite somebody to
    /// disable them.
    DisabledAndAbsent,
    /// The user is invited and not a member yet. Not every platform shows the date of the invitation.
    InvitationPending {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// The invitation has expired. `wanted` is false if the file doesn't ask for it.
    InvitationExpired { wanted: bool, step: String },
    /// The invitation gives these roles or teams, which have ended, and can't be changed. `step` is how to cancel it, if the
    /// API can't. Without `step`, an invitation needs a team, and all of its teams have ended.
    InvitationGivesEnded {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        ended: BTreeSet<Address>,
        until: Until,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// The invitation must be cancelled, and the API has no mutation for that. `ended`: the access has ended then.
    #[serde(alias = "invitation-stands")]
    InvitationNotCancellable {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<Until>,
        step: String,
    },
    /// The invitation is no longer listed, although this platform also lists expired invitations.
    #[serde(alias = "invitation-gone")]
    InvitationNotListed { since: Timestamp, step: String },
    /// A member also has an open invitation, and the API can't cancel it. `harmless` is true if it gives no more
    /// access.
    #[serde(alias = "invitation-beside-member")]
    MemberInvited { role: RoleName, harmless: bool, step: String },
    /// The file selects the user by an id that no listed user has.
    NotListed { step: String },
    /// rolecall disabled the user, and the API can't enable users.
    Disabled { since: Timestamp, step: String },
    /// The user must be removed. rolecall sent a request to disable them, and the platform lists them as before.
    /// `refused`: the answer was lost, and the platform refused the request when it was sent again.
    #[serde(alias = "still-listed")]
    DisableNotSeen { since: Timestamp, refused: bool, step: String },
    /// The user must stay. rolecall sent a request to disable them earlier, and the platform lists them as before.
    #[serde(alias = "perhaps-disabled")]
    MaybeDisabled { since: Timestamp, step: String },
    /// The API has no operations for keys.
    #[serde(alias = "keys-by-hand")]
    KeysUnsupported { step: String },
    /// The invitation was listed earlier and has disappeared.
    InvitationVanished { since: Timestamp },
    /// The invitation was listed earlier and has disappeared before it could expire. `newcomers` are the users whom
    /// no read had shown before it was sent.
    InvitationEnded { since: Timestamp, newcomers: Vec<Address> },
    /// The invitation is listed, but its answer was lost or was an error, so its mail may not have been sent.
    /// `step` is how to send another, if the API can't.
    InvitationMailUnproven {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// The answer to the invitation was lost, so it is unknown whether the mail was sent.
    InvitationUnsure { since: Timestamp },
    /// The user must have no access, but can't be changed before they accept the invitation. `ended`: the access has ended
    /// then.
    InvitationCannotBeCancelled {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<Until>,
    },
    /// The platform accepted the change, but a read doesn't show it. Perhaps a second person has to approve it.
    AwaitingApproval { since: Timestamp },
    /// The key works until its successor is delivered, and for the overlap after that. A later plan then removes it.
    Superseded {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overlap: Option<Lifetime>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Expiry>,
    },
    /// The key still works beside its successor, until this time. `not_to` are the targets that didn't get the secret of
    /// the successor.
    Overlap {
        until: Until,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_to: Vec<String>,
    },
    /// The file asks for other values, and the predecessor of the key still works. Otherwise there would be three keys.
    PredecessorWorks {
        predecessor: RemoteId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Until>,
    },
    /// Nothing tells how old the key is. Its age counts from the next apply.
    KeyAgeUnknown,
    /// rolecall signs in with this key, whose successor is delivered. Both work until this time, and longer if nobody has
    /// done the step. `None` if the time has passed.
    OwnKeySuperseded {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Until>,
        step: String,
    },
    /// The key is due for rotation, and rolecall signs in with it. The file doesn't say that rolecall rotates its own key.
    /// `maybe`: nothing tells which key signs in, and it can be this one. `overdue`: somebody should have replaced it then.
    OwnKeyDue {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        maybe: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overdue: Option<Until>,
    },
    /// An earlier update cleared values that it didn't contain, so this one would clear them too.
    WouldLose { fields: String },
    /// rolecall signs in with this key, or through this team or organisation.
    OwnAccess,
    /// rolecall signs in with a credential of this user.
    OwnUser,
    /// The user doesn't exist, and the file lacks fields that an invitation needs.
    Incomplete { missing: String, step: String },
    /// rolecall may sign in with this key.
    #[serde(alias = "perhaps-own-access")]
    MaybeOwnAccess,
    /// The guardrail `protected` names the entity. `change` is the change that it stops.
    Protected {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<Box<Change>>,
    },
    /// No mutation makes this change.
    #[serde(alias = "no-call")]
    NoMutation,
    /// The entry of the file has an error that only a comparison with live shows. The other entries are planned.
    Unplannable { code: String, why: String },
    /// A field differs, and the API can't change it.
    #[serde(alias = "by-hand")]
    ManualStep { field: String, live: Option<String>, desired: String, step: String },
    /// The list is incomplete, so an entity that isn't in it may exist.
    Unreadable { list: String, why: String },
    /// The platform's list has a row for the entity that can't be read. `covered`: the file lists the entity, or
    /// manages all entities of its kind.
    UnreadableRow { why: String, covered: bool },
    /// The role is built into the platform.
    Locked,
    /// The owner can do everything, whatever their role, and can't be removed.
    Owner {
        #[serde(alias = "must_go")]
        must_be_removed: bool,
    },
    /// rolecall signs in with this key, and the file doesn't list it.
    OwnKey,
    /// The user accepted an invitation of rolecall earlier and is no longer a member.
    #[serde(alias = "left-again")]
    NoLongerMember {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// The ledger knows the user as a member, and they are no longer one. rolecall has neither invited nor removed
    /// them.
    WasMember {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// The ledger knows the user's account, and it has another address now.
    Renamed { now: Address },
    /// The account is the one that the file lists under an earlier address.
    RenamedFrom { before: Address },
    /// An entry lists the name under `previously`, and the entity can't be the one that is renamed: the entry's own name
    /// is live too, or another of its previous names.
    PreviousName { of: Address },
    /// The user can't get the role, because the change of the role is skipped.
    #[serde(alias = "role-held")]
    RoleSkipped { role: RoleName },
    /// The change of the role, the team or the organisation would change the access of protected users.
    ProtectsHolders {
        holders: Vec<Address>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<Box<Change>>,
    },
    /// The role would gain permissions. These have it or may have it, the file doesn't keep them in it, and they can't be
    /// read or can't be moved.
    HoldersStay {
        holders: Vec<Address>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<Box<Change>>,
    },
    /// The user must be removed, and the role without permissions can't be used.
    #[serde(alias = "not-contained")]
    AccessNotRemoved { role: RoleName, step: String },
    /// The user must be removed and loses all resources. No role without permissions can be used, so the role stays,
    /// with what it allows in the organisation itself.
    RoleKept { role: RoleName, step: String },
    /// The role must be deleted, and users have it to whom this plan gives no other role.
    RoleInUse { by: Vec<Address> },
    /// The role can't be given, changed or deleted, because the platform's incomplete list doesn't contain it.
    #[serde(alias = "role-out-of-sight")]
    RoleNotListed {
        role: RoleName,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        must_be_removed: bool,
    },
    /// The platform has a role of this name and doesn't list it.
    RoleExistsUnlisted,
    /// The platform accepted the change, but a read doesn't show it. `why` is the probable reason, if one is
    /// known.
    NotTaken {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The user is invited without access, because invitations on this server can't contain it.
    InvitedWithoutAccess {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// The user is invited with some of the roles. The others follow after the user accepts.
    RolesFollow {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// The user is the only admin of these organisations, and the platform doesn't remove an only admin.
    OnlyAdminElsewhere { organizations: Vec<RemoteId> },
    /// The user may be the only admin of an organisation. The platform doesn't show it.
    #[serde(alias = "perhaps-only-admin")]
    MaybeOnlyAdmin,
    /// The organisation must exist first.
    AwaitsOrganization,
    /// The creation of the organisation was sent, and the organisation isn't listed. A second one would be billed
    /// too.
    OrganizationUnsure { since: Timestamp },
    /// The team was created with the organisation (`default`), or is its last one.
    LastTeam { default: bool },
    /// Users can't be added to the team, because the change of the team is skipped.
    #[serde(alias = "team-held")]
    TeamSkipped { team: TeamName },
    /// The user waits until an administrator of the platform approves them.
    Unapproved { step: String },
    /// Somebody else deactivated the user in this organisation.
    Suspended { step: String },
    /// The platform marks the account as one that must not be changed.
    #[serde(alias = "shielded")]
    MustNotBeChanged,
    /// The user can't be invited, because all seats are taken. A seat that this plan frees is no longer taken.
    NoSeat { taken: usize, seats: u32, missing: usize },
    /// The number of seats in the file is less than what is needed after the plan.
    TooFewSeats { seats: u32, needed: usize },
    /// The user must be removed, and the API can't remove them. rolecall takes all their access.
    #[serde(alias = "contained")]
    CannotBeRemoved { step: String },
    /// A reason that only one platform has. Its folder has the code and the words.
    ///
    /// The aliases are those that earlier versions wrote into ledgers.
    #[serde(alias = "externally-managed", alias = "member-unlisted")]
    Platform {
        #[serde(default)]
        code: String,
        #[serde(default)]
        class: HoldClass,
        #[serde(default)]
        text: String,
    },
}

/// The reason why privileged access that no file writes is no drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The file names the entity under `acknowledged`.
    Acknowledged,
    /// rolecall signs in with a credential of this user.
    Own,
}

impl HoldReason {
    /// Returns whether the reason is privileged access that the file doesn't write.
    pub fn is_privileged(&self) -> bool {
        matches!(self, Self::Unmanaged { privileged: true, .. } | Self::PrivilegeNotWritten { .. })
    }

    /// Returns a reason that only one platform has, and that somebody has to act on.
    pub fn platform(code: &'static str, text: impl Into<String>) -> Self {
        Self::Platform { code: code.to_owned(), class: HoldClass::Blocked, text: text.into() }
    }

    /// Returns the reason to hold an entry that has this error.
    pub fn unplannable(error: &Finding) -> Self {
        let hint = error.hint.iter().map(|hint| format!(" {hint}"));
        let why = std::iter::once(error.message.clone()).chain(hint).collect();
        Self::Unplannable { code: error.code.as_str().to_owned(), why }
    }

    pub fn class(&self) -> HoldClass {
        match self {
            Self::Platform { class, .. } => *class,
            Self::Overlap { not_to, .. } if !not_to.is_empty() => HoldClass::Blocked,
            Self::Unmanaged { privileged: true, known: None } | Self::PrivilegeNotWritten { .. } => {
                HoldClass::Blocked
            }
            Self::Unmanaged { .. }
            | Self::Tolerated { .. }
            | Self::DisabledAndAbsent
            | Self::Locked
            | Self::Owner { must_be_removed: false }
            | Self::OwnKey
            | Self::KeysUnsupported { .. }
            | Self::UnreadableRow { covered: false, .. }
            | Self::InvitationExpired { wanted: false, .. }
            | Self::MemberInvited { harmless: true, .. } => HoldClass::Ignored,
            Self::InvitationPending { .. }
            | Self::InvitedWithoutAccess { .. }
            | Self::RolesFollow { .. }
            | Self::AwaitsOrganization
            | Self::Unapproved { .. }
            | Self::AwaitingApproval { .. }
            | Self::Superseded { .. }
            | Self::Overlap { .. }
            | Self::PredecessorWorks { .. }
            | Self::OwnKeySuperseded { until: Some(_), .. }
            | Self::OwnKeyDue { maybe: false, overdue: None }
            | Self::KeyAgeUnknown => HoldClass::Waiting,
            Self::InvitationVanished { .. }
            | Self::InvitationEnded { .. }
            | Self::InvitationMailUnproven { .. }
            | Self::InvitationUnsure { .. }
            | Self::InvitationCannotBeCancelled { .. }
            | Self::InvitationExpired { wanted: true, .. }
            | Self::InvitationNotCancellable { .. }
            | Self::InvitationGivesEnded { .. }
            | Self::InvitationNotListed { .. }
            | Self::MemberInvited { harmless: false, .. }
            | Self::Incomplete { .. }
            | Self::OwnUser
            | Self::NotListed { .. }
            | Self::Disabled { .. }
            | Self::DisableNotSeen { .. }
            | Self::MaybeDisabled { .. }
            | Self::WouldLose { .. }
            | Self::OwnAccess
            | Self::OwnKeySuperseded { until: None, .. }
            | Self::OwnKeyDue { .. }
            | Self::MaybeOwnAccess
            | Self::Protected { .. }
            | Self::ManualStep { .. }
            | Self::NoMutation
            | Self::Unplannable { .. }
            | Self::Unreadable { .. }
            | Self::UnreadableRow { covered: true, .. }
            | Self::Owner { must_be_removed: true }
            | Self::NoLongerMember { .. }
            | Self::WasMember { .. }
            | Self::Renamed { .. }
            | Self::RenamedFrom { .. }
            | Self::PreviousName { .. }
            | Self::RoleSkipped { .. }
            | Self::ProtectsHolders { .. }
            | Self::HoldersStay { .. }
            | Self::AccessNotRemoved { .. }
            | Self::RoleKept { .. }
            | Self::RoleInUse { .. }
            | Self::RoleNotListed { .. }
            | Self::RoleExistsUnlisted
            | Self::NotTaken { .. }
            | Self::OnlyAdminElsewhere { .. }
            | Self::MaybeOnlyAdmin
            | Self::LastTeam { .. }
            | Self::OrganizationUnsure { .. }
            | Self::TeamSkipped { .. }
            | Self::Suspended { .. }
            | Self::MustNotBeChanged
            | Self::NoSeat { .. }
            | Self::TooFewSeats { .. }
            | Self::CannotBeRemoved { .. } => HoldClass::Blocked,
        }
    }
}

impl HoldClass {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Waiting => "waiting",
            Self::Ignored => "ignored",
        }
    }
}

impl Hold {
    pub fn new(address: Address, reason: HoldReason) -> Self {
        Self { address, class: reason.class(), reason }
    }
}
