//! A difference seen and deliberately not acted on.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Address;

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
}

impl HoldReason {
    pub fn class(&self) -> HoldClass {
        match self {
            Self::Unmanaged { .. } | Self::DisabledAndAbsent => HoldClass::Ignored,
            Self::InvitationPending { .. } | Self::AwaitingApproval { .. } | Self::Superseded => {
                HoldClass::Waiting
            }
            Self::InvitationVanished { .. }
            | Self::InvitationUnsure { .. }
            | Self::InvitationCannotBeCancelled { .. }
            | Self::WouldLose { .. }
            | Self::OwnAccess
            | Self::PerhapsOwnAccess
            | Self::Protected
            | Self::ByHand { .. }
            | Self::Unreadable { .. } => HoldClass::Blocked,
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
            Self::Unmanaged { privileged: true } => f.write_str("not in the file, and an admin"),
            Self::DisabledAndAbsent => f.write_str("declared disabled and not there; nobody is invited for that"),
            Self::InvitationPending { since } => {
                write!(f, "invited on {}, not in the list yet; accepting it is up to them", day(since))
            }
            Self::InvitationVanished { since } => write!(
                f,
                "the invitation of {} was seen once and is gone; `reinvite_expired: true` in the file sends another",
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
                "rolecall may itself be calling with this key; name the one it uses as `own: { key: … }`",
            ),
            Self::Protected => f.write_str("protected by the file's guardrails"),
            Self::ByHand { field, live, desired, step } => match live {
                Some(live) => write!(f, "{field} is `{live}`, wished `{desired}`: {step}"),
                None => write!(f, "{field} is empty, wished `{desired}`: {step}"),
            },
            Self::Unreadable { list, why } => write!(f, "the list of {list} is incomplete: {why}"),
        }
    }
}

impl Hold {
    pub fn new(address: Address, reason: HoldReason) -> Self {
        Self { address, class: reason.class(), reason }
    }
}
