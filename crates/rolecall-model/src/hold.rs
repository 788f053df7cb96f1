//! A difference seen and deliberately not acted on.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, RemoteId, RoleName, TeamName};

/// A difference that no mutation closes, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    pub address: Address,
    pub class: HoldClass,
    pub reason: HoldReason,
}

/// What a hold means to whoever reads it. Only blocked ones count as drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HoldClass {
    /// Somebody has to do something.
    Blocked,
    /// Time, or another person, will close it.
    Waiting,
    /// None of our business.
    Ignored,
}

/// Why a difference is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum HoldReason {
    /// Live and not in the file, which speaks only for those listed.
    Unmanaged { privileged: bool },
    /// The file declares somebody disabled who isn't there: nobody is invited for that.
    DisabledAndAbsent,
    /// Invited, and not a member yet. Not every platform says since when.
    InvitationPending {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// The invitation has run out. One that isn't wanted is listed all the same.
    InvitationExpired { wanted: bool, step: String },
    /// Has to go, and no call cancels the invitation.
    InvitationStands {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        step: String,
    },
    /// The invitation is no longer listed, as it would be if it had run out.
    InvitationGone { since: Timestamp, step: String },
    /// Somebody who is in has an open invitation besides, and no call cancels it.
    InvitationBesideMember { role: RoleName, harmless: bool, step: String },
    /// Is told by their id, which nobody has who is listed.
    NotListed { step: String },
    /// We disabled them, and no call enables.
    Disabled { since: Timestamp, step: String },
    /// Has to go; we disabled them, and the list shows them as before.
    StillListed { since: Timestamp, refused: bool, step: String },
    /// Is to stay; we disabled them, or may have, and the list shows them as before.
    PerhapsDisabled { since: Timestamp, step: String },
    /// No call knows of keys.
    KeysByHand { step: String },
    /// The invitation was seen once and is gone.
    InvitationVanished { since: Timestamp },
    /// An invitation whose answer was lost: whether the mail went out is unknown.
    InvitationUnsure { since: Timestamp },
    /// Has to go, and can't be reached before the invitation is accepted.
    InvitationCannotBeCancelled { since: Timestamp },
    /// Sent, answered, and not to be seen: perhaps a second person has to approve.
    AwaitingApproval { since: Timestamp },
    /// An old key that works until its successor is delivered and a later plan retires it.
    Superseded,
    /// An earlier update cleared what it doesn't carry, so another would too.
    WouldLose { fields: String },
    /// It is what we call the platform with.
    OwnAccess,
    /// What we call the platform with is theirs.
    OwnUser,
    /// Isn't there, and the file doesn't say enough to invite them.
    Incomplete { missing: String, step: String },
    /// It may be what we call the platform with.
    PerhapsOwnAccess,
    /// The file's guardrails name it.
    Protected,
    /// Nothing that can be sent makes this change.
    NoCall,
    /// The platform has no call for it.
    ByHand { field: String, live: Option<String>, desired: String, step: String },
    /// The list is incomplete, so that absence proves nothing.
    Unreadable { list: String, why: String },
    /// Built into the platform.
    Locked,
    /// May do everything whatever their role, and can't be removed.
    Owner { must_go: bool },
    /// Another system provisions this user, and the platform refuses to have them changed.
    ExternallyManaged { must_go: bool },
    /// What rolecall itself calls with, and the file doesn't speak of.
    OwnKey,
    /// Accepted an invitation of ours once, and is no member any more.
    LeftAgain {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// What the file desired_users of the role is held itself.
    RoleHeld { role: RoleName },
    /// Whoever has the role is protected, and would be changed with it.
    ProtectsHolders { holders: Vec<Address> },
    /// Has to go, and the role that would take all access can't be had.
    NotContained { role: RoleName, step: String },
    /// Has to go, and somebody has it whom the file doesn't move.
    RoleInUse { by: Vec<Address> },
    /// It can't be given: it isn't among those that the platform lists.
    RoleOutOfSight { role: RoleName },
    /// The platform has one of that name and doesn't list it.
    RoleExistsUnlisted,
    /// The platform says that they are a member, and doesn't list them.
    MemberUnlisted,
    /// Sent, answered, and not to be seen: the platform drops a part of it, or has another reason.
    NotTaken {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Invited without access, since invitations can't carry it.
    InvitedWithoutAccess {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// Invited as far as an invitation can say; the rest of the roles follows once it is accepted.
    RolesFollow {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// Nobody else administrates these, and the platform lets nobody go who does.
    OnlyAdminElsewhere { organizations: Vec<RemoteId> },
    /// The same may be so: the platform doesn't tell.
    PerhapsOnlyAdmin,
    /// The organisation has to be there first.
    AwaitsOrganization,
    /// Making the organisation was sent, and it isn't listed. Another would cost once more.
    OrganizationUnsure { since: Timestamp },
    /// The team that came with the organisation, or the only one that is left.
    LastTeam { default: bool },
    /// What the file desired_users of the team is held itself.
    TeamHeld { team: TeamName },
    /// Waits until an administrator of the platform lets them in.
    Unapproved { step: String },
    /// Switched off in this organisation by another hand.
    Suspended { step: String },
    /// The platform says that this account isn't to be touched.
    Shielded,
    /// Has to go and keeps nothing; only a person can remove them.
    Contained { step: String },
}

impl HoldReason {
    pub fn class(&self) -> HoldClass {
        match self {
            Self::Unmanaged { .. }
            | Self::DisabledAndAbsent
            | Self::Locked
            | Self::Owner { must_go: false }
            | Self::OwnKey
            | Self::KeysByHand { .. }
            | Self::InvitationExpired { wanted: false, .. }
            | Self::InvitationBesideMember { harmless: true, .. }
            | Self::ExternallyManaged { must_go: false } => HoldClass::Ignored,
            Self::InvitationPending { .. }
            | Self::InvitedWithoutAccess { .. }
            | Self::RolesFollow { .. }
            | Self::AwaitsOrganization
            | Self::Unapproved { .. }
            | Self::AwaitingApproval { .. }
            | Self::Superseded => HoldClass::Waiting,
            Self::InvitationVanished { .. }
            | Self::InvitationUnsure { .. }
            | Self::InvitationCannotBeCancelled { .. }
            | Self::InvitationExpired { wanted: true, .. }
            | Self::InvitationStands { .. }
            | Self::InvitationGone { .. }
            | Self::InvitationBesideMember { harmless: false, .. }
            | Self::Incomplete { .. }
            | Self::OwnUser
            | Self::NotListed { .. }
            | Self::Disabled { .. }
            | Self::StillListed { .. }
            | Self::PerhapsDisabled { .. }
            | Self::WouldLose { .. }
            | Self::OwnAccess
            | Self::PerhapsOwnAccess
            | Self::Protected
            | Self::ByHand { .. }
            | Self::NoCall
            | Self::Unreadable { .. }
            | Self::Owner { must_go: true }
            | Self::ExternallyManaged { must_go: true }
            | Self::LeftAgain { .. }
            | Self::RoleHeld { .. }
            | Self::ProtectsHolders { .. }
            | Self::NotContained { .. }
            | Self::RoleInUse { .. }
            | Self::RoleOutOfSight { .. }
            | Self::RoleExistsUnlisted
            | Self::MemberUnlisted
            | Self::NotTaken { .. }
            | Self::OnlyAdminElsewhere { .. }
            | Self::PerhapsOnlyAdmin
            | Self::LastTeam { .. }
            | Self::OrganizationUnsure { .. }
            | Self::TeamHeld { .. }
            | Self::Suspended { .. }
            | Self::Shielded
            | Self::Contained { .. } => HoldClass::Blocked,
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
