//! One switch for each question that RapidAPI's pages and schemas leave open.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::engine::Schema;
use crate::switch::{NUMBER, ON_OFF, Switch, TEXT};

/// The switches of this sandbox, as help texts and errors describe them.
pub const SWITCHES: &[Switch] = &[
    Switch {
        name: "generation",
        values: &["documented", "2023-08"],
        about: "The schema of the documentation, or of August 2023.",
    },
    Switch { name: "rate-limit", values: NUMBER, about: "The requests of a user in a minute. 0 means no limit." },
    Switch { name: "minute-millis", values: NUMBER, about: "The length of that minute in milliseconds." },
    Switch { name: "retry-after", values: ON_OFF, about: "Answers with HTTP 429 have a Retry-After header." },
    Switch {
        name: "root-fields",
        values: &["many", "one"],
        about: "A request may ask for one field at its root, or for many.",
    },
    Switch { name: "introspection", values: ON_OFF, about: "The server answers introspection queries." },
    Switch {
        name: "mutation-context",
        values: &["any", "team", "personal"],
        about: "The kind of key with which mutations work.",
    },
    Switch {
        name: "environment-admin-mutates-anywhere",
        values: ON_OFF,
        about: "Environment admins may change every organisation, not only their own.",
    },
    Switch { name: "page-max", values: NUMBER, about: "The most rows on a page." },
    Switch {
        name: "slug-suffix",
        values: TEXT,
        about: "Text that the platform appends to the slug of a new name.",
    },
    Switch {
        name: "rename-slug",
        values: &["kept", "follows"],
        about: "A new name keeps the slug, or changes it.",
    },
    Switch {
        name: "duplicate-names",
        values: &["refused", "allowed"],
        about: "A second organisation, or team of one, with the same name.",
    },
    Switch {
        name: "add-outsiders",
        values: ON_OFF,
        about: "Users who aren't in the organisation can be added to its teams.",
    },
    Switch {
        name: "refusal",
        values: &["errors", "null"],
        about: "A mutation that did nothing answers with errors, or with null alone.",
    },
    Switch {
        name: "booleans",
        values: &["true", "null", "false"],
        about: "The answer of a mutation that returns a Boolean and succeeded.",
    },
    Switch {
        name: "stale-rows",
        values: &["dropped", "kept"],
        about: "Roles of a member who leaves are dropped, or apply again on return.",
    },
    Switch {
        name: "invite-member",
        values: &["refused", "ignored"],
        about: "An invitation of a member is refused or ignored.",
    },
    Switch {
        name: "invite-pending",
        values: &["refused", "resent", "duplicated"],
        about: "A second invitation is refused, sent again, or listed twice.",
    },
    Switch {
        name: "invite-status",
        values: TEXT,
        about: "The status that the list shows for an invitation not yet accepted.",
    },
    Switch {
        name: "demotion",
        values: &["keeps-teams", "drops-teams"],
        about: "A demoted admin stays in teams that nobody added them to, or leaves.",
    },
    Switch {
        name: "deleted-teams",
        values: &["listed", "hidden"],
        about: "Deleted teams are listed with deletedAt, or are hidden.",
    },
    Switch {
        name: "dates",
        values: &["iso", "epoch"],
        about: "Times are ISO 8601 text, or milliseconds since 1970.",
    },
    Switch { name: "users-count-off-by", values: NUMBER, about: "This number is added to numOfUsers." },
    Switch { name: "teams-count-off-by", values: NUMBER, about: "This number is added to numOfTeams." },
    Switch { name: "total-off-by", values: NUMBER, about: "This number is added to the total of a list." },
    Switch {
        name: "team-users-count-off-by",
        values: NUMBER,
        about: "This number is added to the usersCount of a team.",
    },
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Switches {
    /// The schema that the hub has, of the known ones.
    pub generation: Generation,
    /// The number of requests that a user may send in a minute. 0 sets no limit.
    pub rate_limit: usize,
    /// The length of that minute in milliseconds.
    pub minute_millis: i64,
    /// Adds `Retry-After` to a refusal by the rate limit. The documentation mentions no such header.
    pub retry_after: bool,
    /// The number of root fields that a request may have.
    pub root_fields: RootFields,
    /// Allows introspection.
    pub introspection: bool,
    /// The kind of key that mutations work with.
    pub mutation_context: MutationContext,
    /// Allows environment admins to change organisations that they don't administrate.
    pub environment_admin_mutates_anywhere: bool,
    /// The maximum number of rows on a page.
    pub page_max: usize,
    /// A suffix that the platform adds to the slug that it derives from a name.
    pub slug_suffix: String,
    /// The effect of a new name on the slug.
    pub rename_slug: RenameSlug,
    /// Whether two organisations, or two teams of one organisation, may have the same name.
    pub duplicate_names: DuplicateNames,
    /// Allows adding users to teams of an organisation of which they aren't members.
    pub add_outsiders: bool,
    /// The answer of a mutation that did nothing.
    pub refusal: Refusal,
    /// The answer of a successful mutation that returns a Boolean.
    pub booleans: Option<bool>,
    /// The effect of leaving a team or an organisation on the user's roles there.
    pub stale_rows: StaleRows,
    /// The effect of inviting a member.
    pub invite_member: InviteMember,
    /// The effect of inviting an address whose invitation is pending.
    pub invite_pending: InvitePending,
    /// The `inviteStatus` that the list shows for a pending invitation.
    pub invite_status: String,
    /// The effect of losing the admin role on team memberships that came with it.
    pub demotion: Demotion,
    /// Whether lists show deleted teams, with their `deletedAt`.
    pub deleted_teams: DeletedTeams,
    /// The format of times.
    pub dates: Dates,
    /// A number added to `numOfUsers`.
    pub users_count_off_by: i64,
    /// A number added to `numOfTeams`.
    pub teams_count_off_by: i64,
    /// A number added to the `total` of a paginated list.
    pub total_off_by: i64,
    /// A number added to a team's `usersCount`.
    pub team_users_count_off_by: i64,
}

/// The state of the schema: as in a client generated in August 2023, or as in later pages of the documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generation {
    #[serde(rename = "2023-08")]
    August2023,
    #[default]
    Documented,
}

impl Generation {
    /// Returns the schema in SDL: the fields that all hubs have, and those of this generation.
    pub(super) fn sdl(self) -> &'static str {
        match self {
            Self::August2023 => concat!(
                include_str!("../../schemas/rapidapi.graphql"),
                include_str!("../../schemas/rapidapi-2023-08.graphql")
            ),
            Self::Documented => concat!(
                include_str!("../../schemas/rapidapi.graphql"),
                include_str!("../../schemas/rapidapi-documented.graphql")
            ),
        }
    }

    /// Returns the schema, which is parsed once, because tests open many sandboxes.
    pub(super) fn schema(self) -> &'static Schema {
        static SCHEMAS: OnceLock<[Schema; 2]> = OnceLock::new();
        let [august_2023, documented] =
            SCHEMAS.get_or_init(|| [Self::August2023, Self::Documented].map(|it| Schema::of(it.sdl())));
        match self {
            Self::August2023 => august_2023,
            Self::Documented => documented,
        }
    }
}

/// The number of root fields in a request. A page of the documentation sends four; older release notes allow one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootFields {
    One,
    #[default]
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

/// The answer of a mutation that did nothing. In JSON: `"errors"`, or `null`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<NonNullRefusal>", into = "Option<NonNullRefusal>")]
pub enum Refusal {
    #[default]
    Errors,
    /// Answers null without an error, where the answer can be null.
    Null,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NonNullRefusal {
    Errors,
}

impl From<Option<NonNullRefusal>> for Refusal {
    fn from(value: Option<NonNullRefusal>) -> Self {
        value.map_or(Self::Null, |NonNullRefusal::Errors| Self::Errors)
    }
}

impl From<Refusal> for Option<NonNullRefusal> {
    fn from(refusal: Refusal) -> Self {
        (refusal == Refusal::Errors).then_some(NonNullRefusal::Errors)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaleRows {
    /// The user's old roles apply again when they rejoin.
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
    /// Sends another mail, for the role and teams of the first invitation.
    Resent,
    /// Adds a second invitation beside the first.
    Duplicated,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demotion {
    #[default]
    KeepsTeams,
    /// The user leaves teams that they joined only by becoming an admin.
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
