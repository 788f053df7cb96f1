//! A difference seen and deliberately not acted on.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, RoleName};

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
    /// Invited, and not seen in the list yet.
    InvitationPending { since: Timestamp },
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
    /// It may be what we call the platform with.
    PerhapsOwnAccess,
    /// The file's guardrails name it.
    Protected,
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
    LeftAgain { since: Timestamp },
    /// What the file wishes of the role is held itself.
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
    /// Sent, answered, and not to be seen: the platform drops a part of it.
    NotTaken { since: Timestamp },
    /// Invited without access, since invitations can't carry it.
    InvitedWithoutAccess { since: Timestamp },
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
            | Self::ExternallyManaged { must_go: false } => HoldClass::Ignored,
            Self::InvitationPending { .. }
            | Self::InvitedWithoutAccess { .. }
            | Self::AwaitingApproval { .. }
            | Self::Superseded => HoldClass::Waiting,
            Self::InvitationVanished { .. }
            | Self::InvitationUnsure { .. }
            | Self::InvitationCannotBeCancelled { .. }
            | Self::WouldLose { .. }
            | Self::OwnAccess
            | Self::PerhapsOwnAccess
            | Self::Protected
            | Self::ByHand { .. }
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

/// The sentence that people read.
impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |since: &Timestamp| since.strftime("%Y-%m-%d").to_string();
        match self {
            Self::Unmanaged { privileged: false } => f.write_str("not in the file"),
            Self::Unmanaged { privileged: true } => f.write_str("not in the file, and privileged"),
            Self::DisabledAndAbsent => f.write_str("declared disabled and not there; nobody is invited for that"),
            Self::InvitationPending { since } => {
                write!(f, "invited on {} and not a member yet; accepting it is up to them", day(since))
            }
            Self::InvitationVanished { since } => write!(
                f,
                "the invitation of {} is gone and wasn't accepted; `reinvite_expired: true` in the file sends another",
                day(since)
            ),
            Self::InvitationUnsure { since } => write!(
                f,
                "the answer to the invitation of {} was lost, so the mail may be out; ask them, or send another with `--assert`",
                day(since)
            ),
            Self::InvitationCannotBeCancelled { since } => write!(
                f,
                "invited on {} and not in the list, so out of reach; cancel the invitation in the web app",
                day(since)
            ),
            Self::AwaitingApproval { since } => write!(
                f,
                "sent on {} and not seen in effect; perhaps it awaits approval. It isn't sent again unless asked with `--assert`",
                day(since)
            ),
            Self::Superseded => {
                f.write_str("keeps working until its successor is delivered; a later plan retires it")
            }
            Self::WouldLose { fields } => write!(
                f,
                "an earlier update cleared what it doesn't carry, so this one would clear the {fields}; change it by hand, or accept that with `--assert`"
            ),
            Self::OwnAccess => f.write_str("rolecall itself calls with this key, and would lock itself out"),
            Self::PerhapsOwnAccess => f.write_str(
                "rolecall may itself be calling with this key, since its credential doesn't tell; where the file has `own`, name the one it uses there",
            ),
            Self::Protected => f.write_str("protected by the file's guardrails"),
            Self::ByHand { field, live, desired, step } => match live {
                Some(live) => write!(f, "{field} is `{live}`, wished `{desired}`: {step}"),
                None => write!(f, "{field} is empty, wished `{desired}`: {step}"),
            },
            Self::Unreadable { list, why } => write!(f, "the list of {list} is incomplete: {why}"),
            Self::Locked => f.write_str("built in, and never touched"),
            Self::Owner { must_go: false } => {
                f.write_str("the owner, who may do everything whatever their role; never touched")
            }
            Self::Owner { must_go: true } => {
                f.write_str("the owner, whom no call can remove: transfer the ownership in the web app first")
            }
            Self::ExternallyManaged { must_go: false } => f.write_str(
                "provisioned by another system (SCIM), which alone may change them; `--assert` asks again",
            ),
            Self::ExternallyManaged { must_go: true } => f.write_str(
                "has to go, and is provisioned by another system (SCIM), which alone may change them: deactivate them in the identity provider",
            ),
            Self::OwnKey => f.write_str("what rolecall itself calls with"),
            Self::LeftAgain { since } => write!(
                f,
                "accepted the invitation of {} and is no member any more; whoever took them out may have had a reason, so another is sent only with `--assert`",
                day(since)
            ),
            Self::RoleHeld { role } => {
                write!(f, "the role `{role}` can't be given, since what the file wishes of it is held itself")
            }
            Self::ProtectsHolders { holders } => {
                write!(f, "would change what {} may do, whom the file's guardrails protect", names(holders))
            }
            Self::NotContained { role, step } => write!(
                f,
                "has to go and keeps everything, since the role `{role}` can't be had as it has to be; {step}"
            ),
            Self::RoleInUse { by } => {
                write!(f, "still held by {}, whom this plan gives no other role", names(by))
            }
            Self::RoleOutOfSight { role } => write!(
                f,
                "the role `{role}` isn't among those that the platform lists, which are not all; give it in the web app, or delete roles that nobody needs"
            ),
            Self::RoleExistsUnlisted => f.write_str(
                "the platform has a role of this name and doesn't list it, as it lists 50 at most; delete roles that nobody needs, or manage this one in the web app",
            ),
            Self::MemberUnlisted => f.write_str(
                "the platform says that they are a member already, and its list of members doesn't show them; look in the web app, and report the platform's paging",
            ),
            Self::NotTaken { since } => write!(
                f,
                "sent on {}, answered, and not seen in effect since: the platform drops a part of it. It isn't sent again unless asked with `--assert`",
                day(since)
            ),
            Self::InvitedWithoutAccess { since } => write!(
                f,
                "invited on {} without access, which this server's invitations can't limit; role and resources follow once it is accepted",
                day(since)
            ),
            Self::Contained { step } => write!(f, "has to go, and no call removes them: {step}"),
        }
    }
}

/// The first few, and how many more.
fn names(addresses: &[Address]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = addresses.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = addresses.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

impl Hold {
    pub fn new(address: Address, reason: HoldReason) -> Self {
        Self { address, class: reason.class(), reason }
    }
}
