//! One switch for each difference between releases, deployments and circumstances.

use serde::{Deserialize, Serialize};

use crate::switch::{ON_OFF, Switch};

/// The switches of this sandbox, as help texts and errors describe them.
pub const SWITCHES: &[Switch] = &[
    Switch {
        name: "release",
        values: &["newest", "8.1.2"],
        about: "The release of Hive whose schema and behaviour the server has.",
    },
    Switch {
        name: "paging",
        values: &["fixed", "broken"],
        about: "broken: pages of members skip and repeat rows, as in Hive 8.1.2.",
    },
    Switch {
        name: "member-page-limit",
        values: &["NUMBER", "null"],
        about: "The most members on a page. null returns as many as are asked for.",
    },
    Switch {
        name: "gateway",
        values: ON_OFF,
        about: "Answers and limits are those of the public gateway before the server.",
    },
    Switch {
        name: "mail",
        values: ON_OFF,
        about: "Mails are sent. false: an invitation fails, and exists nevertheless.",
    },
    Switch { name: "introspection", values: ON_OFF, about: "The server answers introspection queries." },
    Switch {
        name: "app-deployments-kept",
        values: ON_OFF,
        about: "Assignments keep their app deployments. false: as in Hive 8.1.0 and 8.1.1.",
    },
    Switch { name: "invitation-window", values: ON_OFF, about: "At most 6 invitations are allowed in 5 seconds." },
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Switches {
    pub release: Release,
    pub paging: Paging,
    /// The maximum number of members on a page. `None` sets no limit.
    pub member_page_limit: Option<usize>,
    /// Answers as the public gateway in front of the server does.
    pub gateway: bool,
    /// Whether mails can be sent. If not, invitations report an error.
    pub mail: bool,
    /// Allows introspection.
    pub introspection: bool,
    /// Whether the app deployments of an assignment are stored. Releases before 8.1.2 drop them.
    pub app_deployments_kept: bool,
    /// Limits invitations to 6 in 5 seconds.
    pub invitation_window: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Release {
    #[serde(rename = "8.1.2")]
    V8_1_2,
    #[default]
    #[serde(rename = "newest")]
    Newest,
}

/// The order of the list of members across pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// Rows are sorted by one column and cut by another, so pages skip and repeat rows. Measured on Hive 8.1.2.
    Broken,
    #[default]
    Fixed,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            release: Release::default(),
            paging: Paging::default(),
            member_page_limit: None,
            gateway: false,
            mail: true,
            introspection: true,
            app_deployments_kept: true,
            invitation_window: true,
        }
    }
}
