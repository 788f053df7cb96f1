//! Writes who has what: people over all platforms, then keys and teams.

mod csv;
mod html;
mod markdown;
mod text;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub(super) use csv::csv;
pub(super) use html::html;
pub(super) use markdown::markdown;
pub(super) use text::text;

use super::style::{clean, first, plural};
use rolecall_model::{Kind, Place, Shard, Unread};
use rolecall_plan::access::{Access, Extent, Grant, Holder, Since, Through, Unreadable};

/// The version of the document. A minor version only adds fields.
pub const ACCESS_VERSION: &str = "1.0";

/// Who has what, in one or more organisations.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AccessReport {
    pub format_version: String,
    /// The program that wrote it.
    pub generator: String,
    /// The time at which the organisations had been read.
    pub at: Timestamp,
    /// The shard whose organisations these are. Absent if the run had all organisations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// True if a list is incomplete or an organisation was not read. Then somebody may have access who isn't listed.
    pub partial: bool,
    /// True if only a part of the access was asked for.
    pub filtered: bool,
    pub organizations: Vec<Access>,
    /// The organisations that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
}

/// A holder, with the organisation that they have access to.
type InOrganization<'a> = (&'a Access, &'a Holder);

impl AccessReport {
    fn holders(&self) -> impl Iterator<Item = InOrganization<'_>> {
        self.organizations.iter().flat_map(|access| access.holders.iter().map(move |holder| (access, holder)))
    }

    fn of_kind(&self, kind: Kind) -> Vec<InOrganization<'_>> {
        self.holders().filter(|(_, holder)| holder.address.kind == kind).collect()
    }

    /// Returns the users and the invitations of all organisations, by the person's address.
    fn people(&self) -> BTreeMap<&str, Vec<InOrganization<'_>>> {
        let mut people: BTreeMap<&str, Vec<InOrganization<'_>>> = BTreeMap::new();
        for (access, holder) in self.holders() {
            if let Some(email) = holder.person() {
                people.entry(email.key()).or_default().push((access, holder));
            }
        }
        people
    }

    /// Returns the line that sums up the report.
    fn verdict(&self) -> String {
        let count = |kind| self.of_kind(kind).len();
        let people = match self.people().len() {
            1 => "1 person".to_owned(),
            many => format!("{many} people"),
        };
        let kinds = [(Kind::Invitation, "invitation"), (Kind::Key, "key"), (Kind::Team, "team")];
        let others = kinds.map(|(kind, word)| (count(kind), word));
        let others = others.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| plural(count, word));
        let listed: Vec<String> = std::iter::once(people).chain(others).collect();
        let privileged = self.holders().filter(|(_, holder)| holder.privileged).count();
        let unmanaged = self.holders().filter(|(_, holder)| is_unmanaged(holder)).count();
        let unreadable: Vec<&Unreadable> =
            self.organizations.iter().flat_map(|access| &access.unreadable).collect();
        let unreadable = match (unreadable.len(), unreadable.iter().filter(|row| row.privileged).count()) {
            (0, _) => String::new(),
            (rows, 0) => format!("; {} can't be read", plural(rows, "row")),
            (rows, privileged) => {
                format!("; {} can't be read, {privileged} of them privileged", plural(rows, "row"))
            }
        };
        format!(
            "{}; {privileged} privileged, {unmanaged} with access that no file states{unreadable}.",
            listed.join(", ")
        )
    }
}

/// Returns whether somebody has access that no file states. A team has none itself.
fn is_unmanaged(holder: &Holder) -> bool {
    holder.address.kind != Kind::Team && holder.is_unmanaged()
}

/// Returns what the files say about a holder besides the access: when it ends, what is tolerated, and the note.
fn remarks(holder: &Holder) -> Vec<String> {
    let ending = holder.endings.iter().map(|ending| format!("{} until {}", clean(&ending.what), ending.until));
    let tolerated = holder.tolerated.iter().map(clean);
    let note = holder.note.iter().map(|note| format!("note: {}", clean(note)));
    let alias =
        holder.email.iter().filter(|_| holder.person.is_some()).map(|email| format!("as {}", clean(email)));
    alias.chain(ending).chain(tolerated).chain(note).collect()
}

/// Returns the name of an organisation.
fn organization(access: &Access) -> String {
    super::style::called(access.identity.provider, &access.identity.organization)
}

/// Returns the name of a person, if a platform shows it.
fn name<'a>(held: &[InOrganization<'a>]) -> Option<&'a str> {
    held.iter().find_map(|(_, holder)| holder.name.as_deref())
}

/// Several grants that differ only in the role, as one line.
pub(super) struct Line<'a> {
    roles: Vec<String>,
    grant: &'a Grant,
}

/// Returns the grants of a holder as lines. Those that differ only in the role are one line, and so are all teams of an admin.
pub(super) fn lines(grants: &[Grant]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for grant in grants {
        let is_alike = |line: &&mut Line<'_>| {
            let other = line.grant;
            let both_by_role = other.role.is_some() && grant.role.is_some();
            let is_same_place = (other.through, &other.place) == (grant.through, &grant.place);
            is_same_place
                && (grant.through == Through::Administration
                    || both_by_role && (&other.team, &other.on) == (&grant.team, &grant.on))
        };
        match lines.iter_mut().find(is_alike) {
            Some(line) => line.roles.extend(grant.role.iter().map(ToString::to_string)),
            None => lines.push(Line { roles: grant.role.iter().map(ToString::to_string).collect(), grant }),
        }
    }
    lines
}

/// The number of permissions or parts that a line lists. Of more, it says how many there are.
pub(super) const LISTED: usize = 4;

impl Line<'_> {
    /// Returns what the grants are, in words, such as `Developer on shop/*`. Of more than this number of permissions or
    /// parts, it says how many there are.
    pub fn in_words(&self, listed: usize) -> String {
        let Grant { team, through, permissions, .. } = self.grant;
        let what = match (through, permissions) {
            (Through::Ownership, _) => "owner".to_owned(),
            (Through::Administration, _) => return "admin of every team".to_owned(),
            (Through::Assigned | Through::Invitation, _) if !self.roles.is_empty() => self.roles.join(", "),
            (Through::Assigned | Through::Invitation, Some(permissions)) if permissions.len() > listed => {
                plural(permissions.len(), "permission")
            }
            (Through::Assigned | Through::Invitation, Some(permissions)) => {
                first(permissions.iter(), listed, ToString::to_string)
            }
            (Through::Assigned | Through::Invitation, None) => "a member".to_owned(),
        };
        let on = on(self.grant, listed);
        let team = team.as_ref().map(|team| format!(" in the team {team}")).unwrap_or_default();
        if on.is_empty() { format!("{what}{team}") } else { format!("{what}{team} on {on}") }
    }
}

/// Returns the parts that a grant applies to. It is empty if the platform has no parts.
fn on(grant: &Grant, listed: usize) -> String {
    match &grant.on {
        Extent::Whole => String::new(),
        Extent::Unreadable => "resources that the API doesn't show".to_owned(),
        Extent::Resources(resources) => {
            let paths = resources.paths();
            if paths.is_empty() { "nothing".to_owned() } else { first(paths.iter(), listed, ToString::to_string) }
        }
    }
}

/// Returns the reason of a grant, in words.
fn through(grant: &Grant) -> &'static str {
    match grant.through {
        Through::Assigned => "assigned",
        Through::Ownership => "as the owner, whatever their role",
        Through::Administration => "as an admin of the organisation, who is in every team",
        Through::Invitation => "once they accept the invitation",
    }
}

/// Returns the line of a file that states a grant, or `not in any file`.
fn stated(holder: &Holder, place: Option<&Place>) -> String {
    match (place, &holder.entry, &holder.acknowledged) {
        (Some(place), _, _) => place.to_string(),
        (None, Some(entry), _) if entry.absent => format!("must be removed: {}", entry.place),
        (None, _, Some(place)) => format!("acknowledged: {place}"),
        (None, Some(entry), None) => format!("not stated by {}", entry.place),
        (None, None, None) => "not in any file".to_owned(),
    }
}

/// Returns since when somebody has their access, in words.
fn since(since: &Since) -> String {
    let day = since.at().strftime("%Y-%m-%d");
    match since {
        Since::Changed { run, .. } => format!("since {day}, by run {run}"),
        Since::Invited { .. } => format!("invited on {day}"),
        Since::Seen { .. } => format!("seen since {day}"),
    }
}
