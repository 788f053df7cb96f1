//! The risk of a plan in one line: whose access changes and in which way, and the mails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::outline::mails;
use super::style::{capitalised, plural};
use rolecall_model::{
    AccessChange, Action, Address, Cause, Change, Comparison, Completeness, EcoString, Entity, FirstInvitation,
    Hold, HoldClass, HolderKey, Kind, Limited, OrganizationPlan, OriginKind, Plan, Privilege,
};

/// The effect of a plan on the access of a person or a key, the most important one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    BecomesAdmin,
    AdminLosesAll,
    NoLongerAdmin,
    LosesAll,
    Loses,
    Other,
    Gets,
    GetsMore,
}

impl Reach {
    /// Returns the words for one, and for several.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::BecomesAdmin => ("becomes admin", "become admin"),
            Self::AdminLosesAll => {
                ("is no longer admin and loses all access", "are no longer admin and lose all access")
            }
            Self::NoLongerAdmin => ("is no longer admin", "are no longer admin"),
            Self::LosesAll => ("loses all access", "lose all access"),
            Self::Loses => ("loses some access", "lose some access"),
            Self::Other => ("gets other access", "get other access"),
            Self::Gets => ("gets access", "get access"),
            Self::GetsMore => ("gets more access", "get more access"),
        }
    }
}

/// Everything that a plan does to one person or key.
#[derive(Default)]
struct Touch<'a> {
    changes: Vec<&'a Change>,
    gains: BTreeSet<&'a Limited>,
    loses: BTreeSet<&'a Limited>,
    privileges: BTreeSet<Privilege>,
}

/// Returns every person and key whom a plan touches, with what becomes of their access. `None` if it stays as it is.
pub(super) fn reaches(plan: &OrganizationPlan) -> BTreeMap<HolderKey, Option<Reach>> {
    let mut touched: BTreeMap<HolderKey, Touch<'_>> = BTreeMap::new();
    for change in &plan.sealed.changes {
        if let Some(holder) = change.address.holder() {
            let touch = touched.entry(holder).or_default();
            touch.changes.push(change);
            touch.privileges.extend(plan.privileged.get(&change.address));
        }
    }
    for (address, AccessChange { gains, loses }) in &plan.access {
        if let Some(holder) = address.holder() {
            let touch = touched.entry(holder).or_default();
            touch.privileges.extend(plan.privileged.get(address));
            touch.gains.extend(gains);
            touch.loses.extend(loses);
        }
    }
    let mut reaches: BTreeMap<HolderKey, Option<Reach>> =
        touched.into_iter().map(|(holder, touch)| (holder, touch.reach(plan))).collect();
    for first in first_invitations(plan) {
        let newcomer = reaches.entry((Kind::User, first.email.key().into())).or_default();
        *newcomer = newcomer.or(Some(Reach::Gets));
    }
    reaches
}

/// Returns the users who are invited by creating the organisation.
pub(super) fn first_invitations(plan: &OrganizationPlan) -> impl Iterator<Item = &FirstInvitation> {
    let made = plan.sealed.changes.iter().filter_map(|change| change.after.as_ref()?.organization());
    made.flat_map(|organization| &organization.invites)
}

/// Returns the risk of these plans in one line: what apply would do to people and keys, and what else is out of line.
pub(super) fn risk<'a>(plans: impl IntoIterator<Item = &'a OrganizationPlan>) -> String {
    let mut touched: BTreeMap<(Kind, Reach), BTreeSet<(usize, EcoString)>> = BTreeMap::new();
    let mut notes = Vec::new();
    let (mut refused, mut incomplete) = (BTreeSet::new(), BTreeSet::new());
    let plans: Vec<&OrganizationPlan> = plans.into_iter().collect();
    for (number, plan) in plans.iter().enumerate() {
        for ((kind, name), reach) in reaches(plan) {
            if let Some(reach) = reach {
                // A person is the same in every organisation. Keys with the same name are different keys.
                let number = if kind == Kind::User { 0 } else { number };
                touched.entry((kind, reach)).or_default().insert((number, name));
            }
        }
        refused.extend(plan.refusals.iter().map(|refusal| refusal.guardrail.as_str()));
        let is_incomplete = |(_, completeness): &(_, &Completeness)| completeness.is_incomplete();
        incomplete.extend(plan.completeness.iter().filter(is_incomplete).map(|(list, _)| list.as_str()));
    }
    if !refused.is_empty() {
        notes.push(format!("refused by {}", listed(&refused)));
    }
    if touched.is_empty() {
        notes.push("nobody's access changes".to_owned());
    }
    let mut noun = None;
    for ((kind, reach), touched) in touched {
        let count = touched.len();
        let (one, several) = reach.words();
        let words = if count == 1 { one } else { several };
        let named = match (kind, count) {
            _ if noun == Some(kind) => count.to_string(),
            (Kind::User, 1) => "1 person".to_owned(),
            (Kind::User, _) => format!("{count} people"),
            (kind, _) => plural(count, kind.as_str()),
        };
        noun = Some(kind);
        notes.push(format!("{named} {words}"));
    }
    let mail: usize = plans.iter().flat_map(|plan| &plan.sealed.changes).map(mails).sum();
    if mail > 0 {
        notes.push(plural(mail, "mail"));
    }
    if !incomplete.is_empty() {
        notes.push(format!("incomplete lists: {}", listed(&incomplete)));
    }
    notes.extend(out_of_line(&plans));
    format!("{}.", capitalised(&notes.join("; ")))
}

/// Returns the risk of a whole plan, if it is about more than one organisation: those that could not be planned, and those
/// that no file describes any more, count too.
pub(super) fn overall(plan: &Plan) -> Option<String> {
    let Plan { organizations, unread, undescribed, .. } = plan;
    if organizations.len() < 2 && unread.is_empty() && undescribed.is_empty() {
        return None;
    }
    let named = match organizations.len() {
        0 => return None,
        1 => "1 organisation".to_owned(),
        several => format!("All {several} organisations"),
    };
    let mut more = String::new();
    if !unread.is_empty() {
        let _ = write!(more, " {} could not be planned.", plural(unread.len(), "more organisation"));
    }
    if !undescribed.is_empty() {
        let _ = write!(more, " No file describes {} any more.", plural(undescribed.len(), "other organisation"));
    }
    Some(format!("{named}: {}{more}", risk(organizations)))
}

fn listed(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// Returns what is out of line besides what was asked for. Nothing if no plan was compared with a base.
fn out_of_line(plans: &[&OrganizationPlan]) -> Vec<String> {
    let compared = || plans.iter().filter_map(|plan| Some((*plan, plan.comparison.as_ref()?)));
    if compared().any(|(_, comparison)| comparison.unplanned.is_some()) {
        return vec!["it isn't known what was asked for".to_owned()];
    }
    let drifted = compared().flat_map(|(_, Comparison { changes, .. })| changes.values());
    let drifted = drifted.filter(|origin| origin.is == OriginKind::Drifted).count();
    let blocked = compared().flat_map(|(plan, Comparison { holds, .. })| {
        let asked = |hold: &&Hold| holds.get(&hold.address) == Some(&OriginKind::Asked);
        plan.sealed.holds.iter().filter(move |hold| hold.class == HoldClass::Blocked && !asked(hold))
    });
    let blocked = blocked.count();
    let mut words = Vec::new();
    if drifted > 0 {
        let undo = if drifted == 1 { "undoes" } else { "undo" };
        words.push(format!("{} {undo} drift", plural(drifted, "change")));
    }
    if blocked > 0 {
        let need = if blocked == 1 { "needs" } else { "need" };
        words.push(format!("{blocked} more {need} attention"));
    }
    let deletions = compared().flat_map(|(_, Comparison { deletions, .. })| deletions);
    let slips = deletions.filter(|deletion| !deletion.by.is_explicit()).count();
    if slips > 0 {
        let entries = if slips == 1 { "entry" } else { "entries" };
        words.push(format!("{slips} {entries} may be gone by a slip"));
    }
    if words.is_empty() && compared().next().is_some() {
        words.push("nothing else is out of line".to_owned());
    }
    words
}

impl Touch<'_> {
    /// Returns whether the changes leave nothing of an access that works.
    fn goes(&self) -> bool {
        let worked = |change: &&Change| {
            change.cause != Cause::AlreadyMember && change.before.as_ref().is_none_or(Entity::works)
        };
        self.changes.iter().all(|change| change.action.takes_access()) && self.changes.iter().any(worked)
    }

    /// Returns what becomes of the access. `None` if it stays as it is.
    fn reach(&self, plan: &OrganizationPlan) -> Option<Reach> {
        // Somebody who is invited again loses one invitation and gets another one.
        let gains: Vec<&Limited> = self.gains.difference(&self.loses).copied().collect();
        let loses: Vec<&Limited> = self.loses.difference(&self.gains).copied().collect();
        let is_deleted = plan.change(&Address::organization()).is_some_and(|change| change.after.is_none());
        let loses_all = is_deleted || self.goes();
        let becomes = |privilege: Privilege, other: Privilege| {
            self.privileges.contains(&privilege) && !self.privileges.contains(&other)
        };
        if becomes(Privilege::Gains, Privilege::Loses) {
            return Some(Reach::BecomesAdmin);
        }
        let was_admin = becomes(Privilege::Loses, Privilege::Gains);
        match (loses_all, was_admin) {
            (true, true) => return Some(Reach::AdminLosesAll),
            (true, false) => return Some(Reach::LosesAll),
            (false, true) => return Some(Reach::NoLongerAdmin),
            (false, false) => {}
        }
        let is_new = |change: &&Change| matches!(change.action, Action::Invite | Action::Create | Action::Enable);
        match (!gains.is_empty(), !loses.is_empty()) {
            (true, true) => Some(Reach::Other),
            (false, true) => Some(Reach::Loses),
            (true, false) if self.changes.iter().any(is_new) => Some(Reach::Gets),
            (true, false) => Some(Reach::GetsMore),
            (false, false) => None,
        }
    }
}
