//! The types that all other crates share: addresses, changes, plans, findings. They are values: nothing here reads
//! files, calls a platform or knows another crate of rolecall.

mod ability;
mod activity;
mod address;
mod assignable;
mod capabilities;
mod change;
mod desired;
mod entity;
mod facts;
mod finding;
mod guardrails;
mod hold;
mod hold_text;
mod inventory;
mod live;
mod lookup;
mod name;
mod origin;
mod outcome;
mod place;
mod plan;
mod renames;
mod resources;
mod rules;
mod shard;
mod steps;
pub mod tagged;
mod time;
mod until;
mod words;

pub use ability::{Ability, AccessChange, EVERYTHING, Limited, May, Part};
pub use activity::{Activity, CredentialEnd, Job, Past};
pub use address::{Address, HolderKey, Kind};
pub use assignable::{AssignableRole, AssignableRoles};
pub use capabilities::{
    AccountField, Capabilities, InviteField, KeyField, KeyRemoval, KnownRoles, ListedInvitations, ManualStep,
    Quirk, UserRemoval,
};
pub use change::{
    Action, Cause, Change, Effect, LoweredMutation, Mutation, Reference, Stage, expiry_after, fill_expiries,
    id_of, number_of, reference,
};
pub use ecow::{EcoString, eco_format};

pub use desired::{
    Allowance, Credential, Delivery, Desired, DesiredKey, DesiredOrganization, DesiredProject, DesiredResources,
    DesiredRole, DesiredTarget, DesiredTeam, DesiredUser, DirectorySource, Endpoint, Manage, PeopleDirectory,
    PersonGroups, Rotation, Scope, Setting, SettingValue, Tolerated,
};
pub use entity::{Entity, FirstInvitation, Key, Memberships, Organization, Role, Seen, Team, User};
pub use facts::{
    AppliedChange, DisableAnswer, Facts, FinishedRun, HeldChange, Invitation, InvitationState, KnownMember,
    LostMint, MintedKey, NotTaken, Receipt, SentChange, SentDisable, Shown, SignIn,
};
pub use finding::{Code, Finding, Severity, Warning};
pub use guardrails::{Exception, Guardrail, Guardrails, Limit, Pattern, Removals};
pub use hold::{Hold, HoldClass, HoldReason, Known};
pub use inventory::{App, AppKey, Inventory};
pub use live::{
    AccountStatus, Bearing, Caller, Catalogue, Completeness, Gap, KnownPermission, Level, Listing, Live,
    LiveInvitation, LiveKey, LiveRole, LiveTeam, LiveUser, Project, Projects, ReadOnly, UnreadableRow,
};
pub use lookup::{Index, Orders};
pub use name::{
    Email, EmailError, KeyName, MAX_NAME, NameError, Permission, ProviderName, RemoteId, RoleName, Slug, TeamName,
    check_name, composed, deceptive, has_placeholder, is_deceptive, is_odd_space, is_plain_address,
    is_typographic_quote,
};
pub use origin::{Comparison, DeletedBy, Deletion, DiffLine, LastInSync, Origin, OriginKind, Together};
pub use outcome::Outcome;
pub use place::{Place, Placed, Span, large, small};
pub use plan::{
    FORMAT_VERSION, Identity, OrganizationPlan, Override, Plan, Privilege, Refusal, SANDBOX_HOST, Sealed, Site,
    Undescribed, Unread,
};
pub use renames::Renames;
pub use resources::{ProjectReach, Reach, Resources, TargetReach};
pub use rules::{Rules, Variables};
pub use shard::{Shard, ShardRun, ShardedVerb};
pub use steps::steps;
pub use time::{Expiry, Lifetime, length_of_time};
pub use until::{Ending, EndingAccess, NearEnding, Until};
pub use words::{distance, list_of, nearest, nearest_email, quote, sentence};
