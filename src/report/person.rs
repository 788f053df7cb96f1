//! The report of an offboarding or an onboarding: the files, the plan of the person, and what is left.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::layout::Layout;
use super::pull::{painted_diff, unified, written_or_not};
use super::style::{BOLD, WARN, called, clean, paint};
use super::text::plan_text;
use rolecall_config::EditedFile;
use rolecall_model::{Address, OrganizationPlan, Plan, ProviderName, RemoteId, Unread};

/// The version of [`PersonReport`].
pub const PERSON_VERSION: &str = "1.0";

/// The document that `offboard --format json` and `onboard --format json` write.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PersonReport {
    pub format_version: &'static str,
    /// The name and version of rolecall.
    pub generator: &'static str,
    /// The address that identifies the person.
    pub email: String,
    /// The files that change.
    pub files: Vec<ChangedFile>,
    /// The changes and the skipped differences of this person, as the files say with these changes.
    pub plan: Plan,
    /// Access that is left in each organisation that was read. Absent if the person joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Vec<LeftAccess>>,
    /// Keys of which a file or the platform says that the person has to do with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<RelatedKey>,
    /// Facts that no platform shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A file that changes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ChangedFile {
    pub path: String,
    /// True if the file was written.
    pub written: bool,
    /// The difference to the file before, in the unified format.
    pub diff: String,
}

/// Access that a person still has in one organisation, and what is in doubt. If the first three lists are empty, nothing is
/// left.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LeftAccess {
    pub provider: ProviderName,
    pub organization: RemoteId,
    /// Access that an apply takes, or that nothing takes yet.
    pub access: Vec<String>,
    /// Steps for a person.
    pub manual: Vec<String>,
    /// Facts without which nobody knows whether access is left.
    pub unreadable: Vec<String>,
    /// Lists of people that are assumed complete, because the platform gives no proof.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed_complete: Vec<String>,
}

impl LeftAccess {
    /// Returns whether it is certain that the person has no access.
    pub fn is_nothing(&self) -> bool {
        self.access.is_empty() && self.manual.is_empty() && self.unreadable.is_empty()
    }
}

/// A key that a person has to do with.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RelatedKey {
    pub provider: ProviderName,
    pub organization: RemoteId,
    pub address: Address,
    pub why: String,
}

impl From<&EditedFile> for ChangedFile {
    fn from(EditedFile { path, before, after }: &EditedFile) -> Self {
        let path = path.display().to_string();
        Self { diff: unified(&path, before, after), path, written: false }
    }
}

/// Writes the diff of each file, the plan of the person, and what is left, for a terminal.
pub fn person_text(report: &PersonReport, layout: Layout) -> String {
    let PersonReport { files, plan, left, keys, notes, .. } = report;
    let mut parts = vec![painted_diff(files.iter().map(|file| &*file.diff))];
    let alone = |organizations: Vec<OrganizationPlan>, unread: Vec<Unread>| {
        let plan = Plan { unread, ..Plan::new(plan.generator.clone(), organizations) };
        plan_text(&plan, layout)
    };
    // An organisation without a change and without a skipped difference has no lines here.
    let has_lines = |plan: &&OrganizationPlan| {
        !plan.sealed.changes.is_empty() || !plan.sealed.holds.is_empty() || !plan.refusals.is_empty()
    };
    let organizations = plan.organizations.iter().filter(has_lines);
    parts.extend(organizations.map(|plan| alone(vec![plan.clone()], Vec::new())));
    parts.push(alone(Vec::new(), plan.unread.clone()));
    let mut text = String::new();
    for left in left.iter().flatten() {
        let LeftAccess { provider, organization, access, manual, unreadable, assumed_complete } = left;
        let head = format!("{}   ", paint(BOLD, called(*provider, organization)));
        if left.is_nothing() {
            let assumed = match &**assumed_complete {
                [] => String::new(),
                lists => format!(" (assumed complete: {})", lists.join(", ")),
            };
            layout.push(&mut text, &head, &format!("no access left{assumed}"));
            continue;
        }
        layout.push(&mut text, &head, &paint(WARN, "not done"));
        for (label, lines) in [("access: ", access), ("manual step: ", manual), ("can't be read: ", unreadable)] {
            for line in lines {
                layout.push(&mut text, &format!("  {label}"), &clean(line));
            }
        }
    }
    parts.push(text);
    let mut text = String::new();
    for RelatedKey { provider, organization, address, why } in keys {
        let head = format!("{}   ", clean(address));
        layout.push(&mut text, &head, &format!("{}: {}", called(*provider, organization), clean(why)));
    }
    for note in notes {
        layout.push(&mut text, "", &clean(note));
    }
    parts.push(text);
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// Writes what became of each file. `write`: the files were to be written.
pub fn person_summary(PersonReport { files, email, .. }: &PersonReport, write: bool) -> String {
    let mut text = String::new();
    for ChangedFile { path, written, .. } in files {
        let _ = writeln!(text, "{}: {}", clean(path), written_or_not(*written, write));
    }
    if files.is_empty() {
        let _ = writeln!(text, "No file has to change for {}.", clean(email));
    }
    text
}
