//! The vocabulary: what every other module speaks, and nobody it speaks to.

mod address;
mod change;
mod desired;
mod facts;
mod finding;
mod hold;
mod live;
mod name;
mod outcome;
mod place;
mod plan;
mod rules;
mod time;

pub use address::{Address, Kind};
pub use change::{Action, Call, Cause, Change, Effect, Entity, Key, Mutation, Seen, Stage, User};
pub use desired::{
    Credential, Delivery, Desired, DesiredKey, DesiredUser, Endpoint, Guardrails, Manage, Own, Scope,
};
pub use facts::{Facts, Invitation, InvitationState, LostMint, MintedKey, NotTaken};
pub use finding::{Code, Finding, Severity};
pub use hold::{Hold, HoldClass, HoldReason};
pub use live::{Completeness, Gap, Listing, Live, LiveKey, LiveUser};
pub use name::{
    Email, EmailError, KeyName, NameError, ProviderName, RemoteId, RoleName, check_name, is_deceptive,
};
pub use outcome::Outcome;
pub use place::{Place, Span};
pub use plan::{FORMAT_VERSION, Identity, OrganizationPlan, Plan, Refusal, Sealed};
pub use rules::{InviteField, Rules};
pub use time::Expiry;
