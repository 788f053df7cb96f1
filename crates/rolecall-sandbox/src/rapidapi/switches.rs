//! What RapidAPI's pages and schemas leave open, one switch each.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Switches {
    /// Which of the known schemas the hub has.
    pub generation: Generation,
    /// How many requests a user has in a minute. 0: as many as they like.
    pub rate_limit: usize,
    /// How long that minute is.
    pub minute_millis: i64,
    /// Does a refusal of the limit say when to come again? The documentation knows of no such header.
    pub retry_after: bool,
    /// How many fields a request may ask for at its root.
    pub root_fields: RootFields,
    /// Does the server introspect?
    pub introspection: bool,
    /// With which kind of key mutations work.
    pub mutation_context: MutationContext,
    /// May an environment admin change organisations that they don't administrate?
    pub environment_admin_mutates_anywhere: bool,
    /// The most rows on a page, whatever is asked for.
    pub page_max: usize,
    /// What the platform puts behind the slug that it derives from a name.
    pub slug_suffix: String,
    /// What becomes of a slug when the name changes.
    pub rename_slug: RenameSlug,
    /// May two organisations, or two teams of one, have the same name?
    pub duplicate_names: DuplicateNames,
    /// May users be put into teams of an organisation that they don't belong to?
    pub add_outsiders: bool,
    /// How a mutation says that it did nothing.
    pub refusal: Refusal,
    /// What a mutation that answers with a Boolean says when it is done.
    pub booleans: Option<bool>,
    /// What becomes of the roles of whoever leaves.
    pub stale_rows: StaleRows,
    /// What an invitation of a member does.
    pub invite_member: InviteMember,
    /// What a second invitation does.
    pub invite_pending: InvitePending,
    /// What the list shows for those who haven't accepted yet.
    pub invite_status: String,
    /// What becomes of the teams that somebody is in because they administrated the organisation.
    pub demotion: Demotion,
    /// Are deleted teams listed with their `deletedAt`?
    pub deleted_teams: DeletedTeams,
    /// How instants are written.
    pub dates: Dates,
    /// How far `numOfUsers` is off.
    pub users_count_off_by: i64,
    /// How far `numOfTeams` is off.
    pub teams_count_off_by: i64,
    /// How far the `total` of a paginated list is off.
    pub total_off_by: i64,
    /// How far a team's `usersCount` is off.
    pub team_users_count_off_by: i64,
}

/// The schema as it was introspected in January 2023, as clients were generated from it in August 2023, and as later
/// pages of the documentation use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generation {
    Early,
    Middle,
    #[default]
    Late,
}

/// The release notes allow one, and a later page of the documentation sends four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootFields {
    #[default]
    One,
    Many,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MutationContext {
    #[default]
    Any,
    Team,
    Personal,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenameSlug {
    #[default]
    Kept,
    Follows,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicateNames {
    #[default]
    Refused,
    Allowed,
}

/// `errors`, or `null`, which is JSON's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<Told>", into = "Option<Told>")]
pub enum Refusal {
    #[default]
    Errors,
    /// Nothing is said, and what can be null is.
    Null,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    Errors,
}

impl From<Option<Told>> for Refusal {
    fn from(told: Option<Told>) -> Self {
        told.map_or(Self::Null, |Told::Errors| Self::Errors)
    }
}

impl From<Refusal> for Option<Told> {
    fn from(refusal: Refusal) -> Self {
        (refusal == Refusal::Errors).then_some(Told::Errors)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaleRows {
    /// They have their old roles when they come back.
    Kept,
    #[default]
    Dropped,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviteMember {
    #[default]
    Refused,
    Ignored,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvitePending {
    #[default]
    Refused,
    /// The mail goes out again, for the role and the teams of the first time.
    Resent,
    /// There are two of them.
    Duplicated,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demotion {
    #[default]
    KeepsTeams,
    /// They leave those that nobody put them into.
    DropsTeams,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletedTeams {
    #[default]
    Listed,
    Hidden,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dates {
    #[default]
    Iso,
    /// Milliseconds since 1970, in a string.
    Epoch,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            generation: Generation::default(),
            rate_limit: 10,
            minute_millis: 60_000,
            retry_after: false,
            root_fields: RootFields::default(),
            introspection: true,
            mutation_context: MutationContext::default(),
            environment_admin_mutates_anywhere: true,
            page_max: 1000,
            slug_suffix: String::new(),
            rename_slug: RenameSlug::default(),
            duplicate_names: DuplicateNames::default(),
            add_outsiders: false,
            refusal: Refusal::default(),
            booleans: Some(true),
            stale_rows: StaleRows::default(),
            invite_member: InviteMember::default(),
            invite_pending: InvitePending::default(),
            invite_status: "PENDING".to_owned(),
            demotion: Demotion::default(),
            deleted_teams: DeletedTeams::default(),
            dates: Dates::default(),
            users_count_off_by: 0,
            teams_count_off_by: 0,
            total_off_by: 0,
            team_users_count_off_by: 0,
        }
    }
}
