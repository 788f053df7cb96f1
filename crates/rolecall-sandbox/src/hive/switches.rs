//! What differs between releases, deployments and circumstances, one switch each.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Switches {
    pub release: Release,
    pub paging: Paging,
    /// The most members on a page. None: as many as are asked for.
    pub member_page_limit: Option<usize>,
    /// Are answers those of the gateway before the server?
    pub gateway: bool,
    /// Do mails go out?
    pub mail: bool,
    /// Does the server introspect?
    pub introspection: bool,
    /// Are the app deployments of an assignment kept? None: as the release does.
    pub app_deployments_kept: Option<bool>,
    /// Are invitations limited to 6 in 5 seconds?
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

/// How the list of members goes from page to page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// Ordered by one column and cut by another: pages skip and repeat, as measured on Hive 8.1.2.
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
            app_deployments_kept: None,
            invitation_window: true,
        }
    }
}

impl Switches {
    pub(super) fn keeps_app_deployments(&self) -> bool {
        self.app_deployments_kept.unwrap_or(self.release == Release::Newest)
    }
}
