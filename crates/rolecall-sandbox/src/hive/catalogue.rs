//! The permissions that a role or a token can hold. Ids and levels are the platform's; the titles are ours.

use super::world::Release;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Organization,
    Project,
    Target,
    Service,
    AppDeployment,
}
use Level::{AppDeployment, Organization, Project, Service, Target};

#[derive(Clone, Copy)]
pub struct Permission {
    pub id: &'static str,
    pub level: Level,
    pub depends_on: Option<&'static str>,
    pub title: &'static str,
    newest_only: bool,
}

pub struct Group {
    pub id: &'static str,
    pub title: &'static str,
    permissions: &'static [Permission],
}

impl Group {
    pub fn permissions(&self, release: Release) -> impl Iterator<Item = &'static Permission> {
        let permissions = self.permissions;
        permissions.iter().filter(move |permission| !permission.newest_only || release == Release::Newest)
    }
}

const fn permission(id: &'static str, level: Level, title: &'static str) -> Permission {
    Permission { id, level, depends_on: None, title, newest_only: false }
}

impl Permission {
    const fn needs(self, other: &'static str) -> Self {
        Self { depends_on: Some(other), ..self }
    }

    const fn newest(self) -> Self {
        Self { newest_only: true, ..self }
    }
}

/// The permission that every role holds. It can't be assigned.
pub const ALWAYS_GRANTED: &str = "organization:describe";

/// The permissions of the built-in role `Viewer`.
pub const VIEWER_PERMISSIONS: &[&str] =
    &[ALWAYS_GRANTED, "support:manageTickets", "project:describe", "laboratory:describe"];

const PROJECT: &str = "project:describe";
const LABORATORY: &str = "laboratory:describe";
const PERSONAL: &str = "personalAccessToken:modify";

const ROLE_GROUPS: &[Group] = &[
    Group {
        id: "organization",
        title: "Organization",
        permissions: &[
            permission(ALWAYS_GRANTED, Organization, "See the organization"),
            permission("support:manageTickets", Organization, "Write to the support"),
            permission("accessToken:modify", Organization, "Make and delete access tokens"),
            permission("organization:modifySlug", Organization, "Change the slug"),
            permission("auditLog:export", Organization, "Export the audit log"),
            permission("organization:delete", Organization, "Delete the organization"),
        ],
    },
    Group {
        id: "members",
        title: "Members",
        permissions: &[
            permission("member:describe", Organization, "See members"),
            permission("member:modify", Organization, "Manage members").needs("member:describe"),
        ],
    },
    Group {
        id: "billing",
        title: "Billing",
        permissions: &[
            permission("billing:describe", Organization, "See bills"),
            permission("billing:update", Organization, "Change the plan").needs("billing:describe"),
        ],
    },
    Group {
        id: "oidc",
        title: "Single sign-on",
        permissions: &[permission("oidc:modify", Organization, "Set up single sign-on")],
    },
    Group {
        id: "github",
        title: "GitHub",
        permissions: &[permission("gitHubIntegration:modify", Organization, "Set up GitHub")],
    },
    Group {
        id: "slack",
        title: "Slack",
        permissions: &[permission("slackIntegration:modify", Organization, "Set up Slack")],
    },
    Group {
        id: "project",
        title: "Projects",
        permissions: &[
            permission("project:create", Organization, "Create projects"),
            permission(PROJECT, Project, "See the project"),
            permission("project:delete", Project, "Delete the project").needs(PROJECT),
            permission("project:modifySettings", Project, "Change the project").needs(PROJECT),
            permission("projectAccessToken:modify", Project, "Manage the project's tokens")
                .needs(PROJECT)
                .newest(),
        ],
    },
    Group {
        id: "schema-linting",
        title: "Schema linting",
        permissions: &[
            permission("schemaLinting:modifyOrganizationRules", Organization, "Set the organization's rules"),
            permission("schemaLinting:modifyProjectRules", Project, "Set the project's rules").needs(PROJECT),
        ],
    },
    Group {
        id: "target",
        title: "Targets",
        permissions: &[
            permission("target:create", Project, "Create targets").needs(PROJECT),
            permission("target:delete", Target, "Delete the target").needs(PROJECT),
            permission("target:modifySettings", Target, "Change the target").needs(PROJECT),
            permission("alert:modify", Project, "Manage alerts").needs(PROJECT),
            permission("targetAccessToken:modify", Target, "Manage registry tokens").needs(PROJECT),
            permission("cdnAccessToken:modify", Target, "Manage CDN tokens").needs(PROJECT),
        ],
    },
    Group {
        id: "laboratory",
        title: "Laboratory",
        permissions: &[
            permission(LABORATORY, Target, "See the laboratory").needs(PROJECT),
            permission("laboratory:modify", Target, "Change collections").needs(LABORATORY),
            permission("laboratory:modifyPreflightScript", Target, "Change the preflight script")
                .needs(LABORATORY),
        ],
    },
    Group {
        id: "schema-checks",
        title: "Schema checks",
        permissions: &[permission("schemaCheck:approve", Service, "Approve failed checks").needs(PROJECT)],
    },
    Group {
        id: "cli-actions",
        title: "Command line",
        permissions: &[
            permission(PERSONAL, Organization, "Make personal tokens").newest(),
            permission("schema:compose", Target, "Compose schemas").needs(PERSONAL).newest(),
            permission("schemaCheck:create", Service, "Check schemas").needs(PERSONAL).newest(),
            permission("schemaVersion:publish", Service, "Publish schemas").needs(PERSONAL).newest(),
            permission("schemaVersion:deleteService", Service, "Delete services").needs(PERSONAL).newest(),
            permission("appDeployment:create", AppDeployment, "Create app deployments").needs(PERSONAL).newest(),
            permission("appDeployment:publish", AppDeployment, "Publish app deployments").needs(PERSONAL).newest(),
            permission("appDeployment:retire", AppDeployment, "Retire app deployments").needs(PERSONAL).newest(),
            permission("usage:report", Target, "Report usage").needs(PERSONAL).newest(),
            permission("traces:report", Target, "Report traces").needs(PERSONAL).newest(),
        ],
    },
];

const TOKEN_GROUPS: &[Group] = &[
    Group {
        id: "organization",
        title: "Organization",
        permissions: &[permission(ALWAYS_GRANTED, Organization, "See the organization")],
    },
    Group {
        id: "members",
        title: "Members",
        permissions: &[
            permission("member:describe", Organization, "See members"),
            permission("member:modify", Organization, "Manage members").needs("member:describe"),
        ],
    },
    Group {
        id: "access-tokens",
        title: "Access tokens",
        permissions: &[permission("accessToken:modify", Organization, "Make and delete access tokens")],
    },
    Group {
        id: "project",
        title: "Projects",
        permissions: &[
            permission(PROJECT, Project, "See the project"),
            permission("project:create", Organization, "Create projects"),
            permission("project:delete", Project, "Delete the project").needs(PROJECT),
            permission("project:modifySettings", Project, "Change the project").needs(PROJECT),
        ],
    },
    Group {
        id: "target",
        title: "Targets",
        permissions: &[
            permission("target:create", Project, "Create targets").needs(PROJECT),
            permission("target:delete", Target, "Delete the target").needs(PROJECT),
            permission("target:modifySettings", Target, "Change the target").needs(PROJECT),
            permission("cdnAccessToken:modify", Target, "Manage CDN tokens").needs(PROJECT),
        ],
    },
    Group {
        id: "usage-reporting",
        title: "Reporting",
        permissions: &[
            permission("usage:report", Target, "Report usage"),
            permission("traces:report", Target, "Report traces").newest(),
        ],
    },
    Group {
        id: "schema-registry",
        title: "Schema registry",
        permissions: &[
            permission("schema:compose", Target, "Compose schemas").newest(),
            permission("schemaCheck:create", Service, "Check schemas"),
            permission("schemaCheck:approve", Service, "Approve failed checks").newest(),
            permission("schemaVersion:publish", Service, "Publish schemas"),
            permission("schemaVersion:deleteService", Service, "Delete services"),
        ],
    },
    Group {
        id: "app-deployments",
        title: "App deployments",
        permissions: &[
            permission("appDeployment:create", AppDeployment, "Create app deployments").newest(),
            permission("appDeployment:publish", AppDeployment, "Publish app deployments").newest(),
            permission("appDeployment:retire", AppDeployment, "Retire app deployments").newest(),
        ],
    },
];

fn non_empty(groups: &'static [Group], release: Release) -> impl Iterator<Item = &'static Group> {
    groups.iter().filter(move |group| group.permissions(release).next().is_some())
}

pub fn role_groups(release: Release) -> impl Iterator<Item = &'static Group> {
    non_empty(ROLE_GROUPS, release)
}

pub fn token_groups(release: Release) -> impl Iterator<Item = &'static Group> {
    non_empty(TOKEN_GROUPS, release)
}

/// Returns all permissions of roles by level, then in the catalogue's order. Roles show their permissions in this
/// order.
pub fn role_permissions(release: Release) -> Vec<&'static Permission> {
    let mut permissions: Vec<_> = role_groups(release).flat_map(|group| group.permissions(release)).collect();
    permissions.sort_by_key(|permission| permission.level);
    permissions
}

/// Returns the requested permissions that a role can hold, without duplicates. The others are dropped silently.
pub fn assignable_to_role(asked: &[String], release: Release) -> Vec<String> {
    let known = role_permissions(release).into_iter().filter(|permission| permission.id != ALWAYS_GRANTED);
    known.filter(|permission| asked.iter().any(|id| id == permission.id)).map(|it| it.id.to_owned()).collect()
}

/// Returns the requested permissions that a token can hold, without duplicates, in the order requested.
pub fn assignable_to_token(asked: &[String], release: Release) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for id in asked {
        let known = token_groups(release).flat_map(|group| group.permissions(release)).any(|it| it.id == id);
        if known && !kept.contains(id) {
            kept.push(id.clone());
        }
    }
    kept
}
