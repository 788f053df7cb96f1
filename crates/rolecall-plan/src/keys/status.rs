//! Answers which keys an organisation has: how old each is, at which stage of its life, who made it, where its secret
//! went, and what comes next.
//!
//! The stages are the planner's own decisions. The keys are planned, and each one has the stage of its change, or of
//! what holds it. For example, the plan retires a key because its secret was lost, so the key is an orphan.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::PlanInput;
use super::super::access::{Access, Entry, Grant, Holder, Unreadable, access};
use super::super::gate::Gate;
use super::super::ledger_updates::facts_after_read;
use super::super::renames;
use super::super::role_names::resolve_role_names;
use super::missing::{creation, missing};
use super::{facts_after_sign_in, go_first, has_expired, loss, plan_keys, rotation, secret_lost};
use rolecall_model::{
    Action, Address, Cause, Change, Completeness, DesiredKey, Entity, Expiry, Hold, HoldClass, HoldReason,
    Identity, KeyName, Kind, LiveKey, Place, Receipt, RemoteId, Until,
};

/// The keys of one organisation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Keys {
    pub identity: Identity,
    /// Sorted by address.
    pub keys: Vec<KeyStatus>,
    /// Rows of the list of keys that can't be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
    /// The completeness of each list that was read.
    pub completeness: BTreeMap<String, Completeness>,
    /// True if there is a ledger. Without one, nobody knows who made a key, and where its secret is.
    pub ledger_found: bool,
    /// True if an apply is running, or ended during the read. Then the stages may be others when it has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apply_running: bool,
    /// The number of requests that the read sent.
    pub requests: usize,
}

/// A live key, or one that a file asks for and that doesn't exist.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeyStatus {
    pub name: KeyName,
    /// Absent if the key doesn't exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    pub stage: KeyStage,
    pub made_by: MadeBy,
    /// The time of its creation, as the API or the ledger tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The first time that an apply saw the key, if nothing tells when it was created. It may be older.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_since: Option<Timestamp>,
    /// The time since it was created, or at least since it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// The next thing that happens to it. Absent if nothing is known to happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Step>,
    /// The delivery of its secret, if the ledger has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Delivered>,
    /// The targets that get its secret when it is created. Only a key that doesn't exist has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliver_to: Vec<String>,
    /// The differences that a plan skips, without the one that the stage tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// True if `--expiring-within` asks for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expiring: bool,
    pub access: KeyAccess,
}

/// The part of a [`Holder`] that keys have: everything that a key may do, as `access` shows it, with its expiry, its entry and
/// its note. The stage says more than the status of a holder.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeyAccess {
    pub address: Address,
    /// True if the key lets its holder give access to themselves or to others.
    pub privileged: bool,
    /// True if rolecall signs in with this key.
    pub own: bool,
    pub grants: Vec<Grant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Expiry>,
    /// The entry of a file that names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// The line of a file that acknowledges its privileged access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Place>,
    /// The note of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl From<Holder> for KeyAccess {
    fn from(holder: Holder) -> Self {
        let Holder { address, privileged, own, grants, expires, entry, acknowledged, note, .. } = holder;
        Self { address, privileged, own, grants, expires, entry, acknowledged, note }
    }
}

/// A difference of a key that a plan skips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Skipped {
    pub class: HoldClass,
    /// The reason in words, with what to do.
    pub why: String,
}

/// The stage of a key's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum KeyStage {
    /// An entry names it, and it doesn't exist.
    Missing,
    /// It works, and an entry names it.
    Active,
    /// It works, an entry names it, and the ledger proves that somebody else made it. It stays.
    Foreign,
    /// It works, and no entry names it. It stays.
    Unmanaged,
    /// It works, and the plan blocks what the files ask for.
    Blocked {
        why: String,
    },
    /// By its age, an apply creates a successor.
    DueForRotation,
    /// An apply creates a successor, because the file asks for other values, or because an earlier successor was lost.
    ToBeReplaced,
    /// Its successor is delivered, and both work until this time. Without a time, the overlap has ended, and rolecall
    /// still signs in with the key.
    Overlap {
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Until>,
        successor: RemoteId,
    },
    /// The next apply retires it.
    Retiring {
        why: Retirement,
    },
    /// rolecall created it, and its secret was never delivered. An apply retires it, and creates another if the files
    /// ask for it.
    Orphaned,
    /// A run died while it delivered its secret, so a program may use it. If the files ask for the key, an apply creates
    /// and delivers another, and then retires this one. Of several such keys, all but the newest are retired first.
    Doubtful,
    /// rolecall created it, its secret isn't delivered yet, and an apply is running.
    Undelivered,
    Expired,
    Disabled,
}

impl KeyStage {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Active => "active",
            Self::Foreign => "foreign",
            Self::Unmanaged => "unmanaged",
            Self::Blocked { .. } => "blocked",
            Self::DueForRotation => "due for rotation",
            Self::ToBeReplaced => "to be replaced",
            Self::Overlap { .. } => "overlap",
            Self::Retiring { .. } => "retiring",
            Self::Orphaned => "orphaned",
            Self::Doubtful => "doubtful",
            Self::Undelivered => "undelivered",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        }
    }
}

/// The reason why an apply retires a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Retirement {
    /// Its successor was created and delivered.
    Superseded {
        by: RemoteId,
        /// The targets that didn't get its secret.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_to: Vec<String>,
    },
    /// The file says `absent: true`.
    DeclaredAbsent,
    /// The file manages all keys and doesn't list this one.
    NotListed,
}

impl Retirement {
    /// Returns the reason for the cause of a change that retires a key. A lost secret is a stage of its own.
    fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Superseded { by, not_to } => Self::Superseded { by: by.clone(), not_to: not_to.clone() },
            Cause::NotListed => Self::NotListed,
            _ => Self::DeclaredAbsent,
        }
    }
}

/// The maker of a key, as the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MadeBy {
    /// It doesn't exist.
    Nobody,
    Rolecall,
    /// The platform created the key after the ledger began, and no run in the ledger did.
    SomebodyElse,
    /// No run in this ledger made it. It may be older than the ledger.
    NotInLedger,
    /// There is no ledger.
    Unknown,
}

/// The next thing that happens to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    pub is: StepKind,
    /// The time at which it is due. Absent if it is due with the next apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// True if `apply --leftovers` takes the step, so that a scheduled job needs no review for it.
    pub scheduled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// An apply creates it.
    Create,
    /// An apply creates a successor, or another key of this name.
    CreateSuccessor,
    /// An apply disables or deletes it.
    Retire,
    /// An apply disables or deletes it, and creates another.
    Replace,
    /// An apply creates another key of this name and delivers its secret, and then disables or deletes this one.
    ReplaceLater,
    /// A person lets rolecall sign in with another key.
    Swap,
    /// An apply enables it again.
    Enable,
    /// A person resolves what blocks its entry. Until then, no apply changes it.
    Unblock,
    /// A person disables it, or lists it with `absent: true`. It has expired, and no entry names it.
    CleanUp,
    /// It stops working by itself.
    Expire,
}

/// The delivery of a key's secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Delivered {
    pub at: Timestamp,
    /// The start of the SHA-256 of the secret. Earlier versions of rolecall recorded none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The targets. Earlier versions of rolecall recorded none.
    pub targets: Vec<Target>,
}

/// A target of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Target {
    pub name: String,
    /// True if it got the secret.
    pub arrived: bool,
    /// The state of its content. Absent if nothing was read: a program got the secret, or no entry names the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<TargetState>,
    /// The reason why it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Tells whether a file or a variable still has the secret that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    Unchanged,
    Changed,
    Missing,
    Unreadable,
}

impl KeyStatus {
    /// Returns whether the key stops working, or its next step is due, until this time.
    pub fn is_due_by(&self, until: Timestamp) -> bool {
        self.due(until).is_some_and(|at| at <= until)
    }

    /// Returns when the key stops working, or its next step is due. What the next apply does is due now. A disabled key,
    /// and an expired one that no entry names, have no such time: nobody can use them, and no file asks for them.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let next = self.next.as_ref().filter(|next| next.is != StepKind::CleanUp)?;
        (self.stage != KeyStage::Disabled).then(|| next.at.unwrap_or(now))
    }
}

/// Returns the keys of an organisation. `apply_running`: an apply may have changed them during the read.
pub fn keys(input: &PlanInput<'_>, apply_running: bool) -> Keys {
    let Access { identity, holders, unreadable, completeness, requests, .. } = access(input);
    let mut facts = input.facts.clone();
    renames::all(input.desired, input.live).rename_in_facts(&mut facts);
    let live = renames::renamed(input.desired, input.live);
    let facts = facts_after_sign_in(facts_after_read(facts, &live, input.rules), &live, input.caller);
    let desired = resolve_role_names(input.desired, &live).desired;
    let input = &PlanInput { desired: &desired, live: &live, facts: &facts, ..*input };
    let mut gate = Gate::new(input);
    plan_keys(input, &mut gate);
    let holders = holders.into_iter().filter(|holder| holder.address.kind == Kind::Key);
    let status = |holder: Holder| {
        let key = live.keys().iter().find(|key| Some(&key.id) == holder.id.as_ref())?;
        Some(Planned { input, gate: &gate, key, apply_running }.status(holder))
    };
    let mut keys: Vec<KeyStatus> = holders.filter_map(status).chain(missing(input, &gate)).collect();
    keys.sort_by(|a, b| a.access.address.cmp(&b.access.address));
    Keys {
        identity,
        keys,
        unreadable: unreadable.into_iter().filter(|row| row.address.kind == Kind::Key).collect(),
        completeness: completeness.into_iter().filter(|(list, _)| list == "keys").collect(),
        ledger_found: facts.ledger_found,
        apply_running,
        requests,
    }
}

/// A key, and what a plan of all keys decides.
struct Planned<'a> {
    input: &'a PlanInput<'a>,
    gate: &'a Gate<'a>,
    key: &'a LiveKey,
    apply_running: bool,
}

impl Planned<'_> {
    fn status(&self, holder: Holder) -> KeyStatus {
        let Self { input: PlanInput { facts, now, .. }, key, .. } = self;
        let access = KeyAccess::from(holder);
        let created = rotation::created(facts, key);
        let seen_since = rotation::born(facts, key).filter(|_| created.is_none());
        let age = created.or(seen_since).map(|since| now.duration_since(since).as_secs().max(0));
        let stage = self.stage(&access);
        let minted = facts.minted.get(&key.id);
        KeyStatus {
            name: key.name.clone(),
            id: Some(key.id.clone()),
            made_by: self.made_by(),
            created,
            seen_since,
            age_seconds: age,
            next: self.next(&stage, &access),
            delivered: minted.and_then(|minted| minted.receipt.as_ref()).map(delivered),
            deliver_to: Vec::new(),
            skipped: self.skipped(&stage),
            expiring: false,
            stage,
            access,
        }
    }

    /// Returns who made the key. A ledger that began after the key was created doesn't know, and neither does one beside
    /// which an apply was running.
    fn made_by(&self) -> MadeBy {
        let Self { input: PlanInput { facts, .. }, key, apply_running, .. } = *self;
        let may_be_lost = || {
            facts
                .lost_mints
                .iter()
                .any(|lost| lost.minted.requested.name == key.name && !lost.existed_before.contains(&key.id))
        };
        let is_newer = || key.created.zip(facts.ledger_since).is_some_and(|(created, since)| created > since);
        if facts.minted.contains_key(&key.id) || secret_lost(self.input, key) {
            MadeBy::Rolecall
        } else if !facts.ledger_found {
            MadeBy::Unknown
        } else if is_newer() && !may_be_lost() && !apply_running {
            MadeBy::SomebodyElse
        } else {
            MadeBy::NotInLedger
        }
    }

    fn stage(&self, access: &KeyAccess) -> KeyStage {
        let Self { input, key, apply_running, .. } = *self;
        let blocked = || self.blocked().map(|reason| KeyStage::Blocked { why: words(reason) });
        let lost = || match loss(input.facts, &key.id) {
            Cause::DeliveryUnknown => KeyStage::Doubtful,
            _ => KeyStage::Orphaned,
        };
        match self.change().map(|change| (change.action, &change.cause)) {
            _ if !key.enabled => KeyStage::Disabled,
            _ if has_expired(input, key) => KeyStage::Expired,
            _ if secret_lost(input, key) && apply_running => KeyStage::Undelivered,
            None if secret_lost(input, key) => blocked().unwrap_or_else(lost),
            _ if secret_lost(input, key) => lost(),
            Some((Action::Create, Cause::DueForRotation { .. })) => KeyStage::DueForRotation,
            Some((Action::Create, _)) => KeyStage::ToBeReplaced,
            Some((_, why)) => KeyStage::Retiring { why: Retirement::of(why) },
            None => self.waiting().or_else(blocked).unwrap_or(match &access.entry {
                None => KeyStage::Unmanaged,
                Some(_) if !access.own && self.made_by() == MadeBy::SomebodyElse => KeyStage::Foreign,
                Some(_) => KeyStage::Active,
            }),
        }
    }

    /// Returns the stage of a key whose rotation waits. An entry with an error waits for nothing.
    fn waiting(&self) -> Option<KeyStage> {
        if self.holds().any(|reason| matches!(reason, HoldReason::Unplannable { .. })) {
            return None;
        }
        let overlap = |until| {
            let (successor, _) = rotation::successor(self.input.facts, self.input.live, &self.key.id)?;
            Some(KeyStage::Overlap { until, successor: successor.clone() })
        };
        self.holds().find_map(|reason| match reason {
            HoldReason::Overlap { until, .. } => overlap(Some(*until)),
            HoldReason::OwnKeySuperseded { until, .. } => overlap(*until),
            HoldReason::OwnKeyDue { .. } => Some(KeyStage::DueForRotation),
            _ => None,
        })
    }

    /// Returns why the plan makes no change of the key. Other holds are about the key as it is, and stop no change.
    fn blocked(&self) -> Option<&HoldReason> {
        let stops_nothing = |reason: &HoldReason| {
            matches!(
                reason,
                HoldReason::Unmanaged { .. }
                    | HoldReason::PrivilegeNotWritten { .. }
                    | HoldReason::ManualStep { .. }
                    | HoldReason::OwnKeySuperseded { .. }
            )
        };
        // A disabled key may have the name of one that works, whose entry is blocked.
        let is_meant = |hold: &&Hold| self.key.enabled || hold.address.id.is_some();
        let holds = self.all_holds().filter(is_meant).map(|hold| &hold.reason);
        holds.into_iter().find(|reason| reason.class() == HoldClass::Blocked && !stops_nothing(reason))
    }

    /// Returns the change of this key, or that of its successor.
    fn change(&self) -> Option<&Change> {
        let is_of_key = |change: &&Change| change.before.as_ref().and_then(Entity::id) == Some(&self.key.id);
        self.gate.changes.iter().find(is_of_key)
    }

    fn holds(&self) -> impl Iterator<Item = &HoldReason> {
        self.all_holds().map(|hold| &hold.reason)
    }

    /// Returns the holds of the key, or of its entry.
    fn all_holds(&self) -> impl Iterator<Item = &Hold> {
        let is_of_key = |address: &Address| {
            let is_this = address.id.as_ref().is_none_or(|id| *id == self.key.id);
            address.kind == Kind::Key && *address.name == *self.key.name.as_str() && is_this
        };
        self.gate.holds.iter().filter(move |hold| is_of_key(&hold.address))
    }

    /// Returns why a plan skips something about the key, without what its stage says.
    fn skipped(&self, stage: &KeyStage) -> Vec<Skipped> {
        let blocked = self.blocked();
        let is_said = |reason: &&HoldReason| {
            matches!(reason, HoldReason::Superseded { .. } | HoldReason::Unmanaged { .. })
                || matches!(reason, HoldReason::Overlap { not_to, .. } if not_to.is_empty())
                || reason.class() == HoldClass::Ignored
                || matches!(stage, KeyStage::Blocked { .. }) && blocked == Some(reason)
        };
        let works = !matches!(stage, KeyStage::Disabled | KeyStage::Expired);
        let shown = self.holds().filter(|reason| works || blocked == Some(reason));
        let shown = shown.filter(|reason| !is_said(reason));
        shown.map(|reason| Skipped { class: reason.class(), why: words(reason) }).collect()
    }

    /// Returns the next thing that happens to the key: the next step of an apply, or its expiry if that is earlier.
    fn next(&self, stage: &KeyStage, access: &KeyAccess) -> Option<Step> {
        let expiry = self.key.expires.map(|expires| Step {
            is: StepKind::Expire,
            at: Timestamp::from_second(expires.as_second()).ok(),
            scheduled: false,
        });
        let of_change = |is: StepKind| self.change().map(|change| step(is, None, change.is_leftover()));
        let unblock = || self.blocked().map(|_| step(StepKind::Unblock, None, false));
        match stage {
            KeyStage::Disabled => of_change(StepKind::Enable).or_else(unblock),
            KeyStage::Expired => {
                let created = creation(self.gate, &self.key.name);
                let replacement =
                    created.map(|change| step(StepKind::CreateSuccessor, None, change.is_leftover()));
                let of_expired = || match &access.entry {
                    Some(_) => unblock().or(expiry),
                    None => Some(step(StepKind::CleanUp, None, false)),
                };
                of_change(StepKind::Retire)
                    .or(replacement)
                    .or_else(|| of_expired().filter(|_| !self.is_replaced()))
            }
            _ => [self.planned_step(stage), expiry].into_iter().flatten().min_by_key(|step| step.at),
        }
    }

    /// Returns the next step that an apply takes.
    fn planned_step(&self, stage: &KeyStage) -> Option<Step> {
        let Self { input: PlanInput { desired, facts, now, .. }, key, .. } = *self;
        let entry = desired.key(&key.name).filter(|entry| !entry.absent);
        let due = || {
            let rule = rotation::rule(desired, entry?)?;
            let at = Some(rotation::due(facts, rule, key)?);
            let is_swap = rotation::signs_in(self.input, key).is_some() && !rule.own;
            let is = if is_swap { StepKind::Swap } else { StepKind::CreateSuccessor };
            Some(step(is, at, rule.automatically && !is_swap))
        };
        match (stage, self.change()) {
            (KeyStage::Overlap { until, .. }, _) => {
                let signs_in = self.holds().any(|reason| matches!(reason, HoldReason::OwnKeySuperseded { .. }));
                let is = if signs_in { StepKind::Swap } else { StepKind::Retire };
                let missed = self
                    .holds()
                    .any(|reason| matches!(reason, HoldReason::Overlap { not_to, .. } if !not_to.is_empty()));
                Some(step(is, until.map(Until::instant), !signs_in && !missed))
            }
            (KeyStage::DueForRotation, Some(change)) => {
                Some(step(StepKind::CreateSuccessor, due().and_then(|due| due.at), change.is_leftover()))
            }
            (KeyStage::ToBeReplaced, Some(change)) => {
                Some(step(StepKind::CreateSuccessor, None, change.is_leftover()))
            }
            (KeyStage::Retiring { .. }, Some(change)) => Some(step(StepKind::Retire, None, change.is_leftover())),
            (KeyStage::Orphaned | KeyStage::Doubtful, Some(change)) => {
                Some(match creation(self.gate, &key.name) {
                    Some(other) => {
                        let later = *stage == KeyStage::Doubtful && !self.goes_first(other);
                        let is = if later { StepKind::ReplaceLater } else { StepKind::Replace };
                        step(is, None, change.is_leftover() && other.is_leftover())
                    }
                    None => step(StepKind::Retire, None, change.is_leftover()),
                })
            }
            (KeyStage::Blocked { .. }, _) => Some(step(StepKind::Unblock, None, false)),
            (KeyStage::DueForRotation, _) => due(),
            // A step that is due, and that the plan doesn't have, waits for something else.
            (KeyStage::Active | KeyStage::Foreign, _) => due().filter(|step| step.at.is_some_and(|at| at > *now)),
            _ => None,
        }
    }

    /// Returns whether this lost key is retired before another is created.
    fn goes_first(&self, created: &Change) -> bool {
        let name = &created.address.name;
        let lost = self.gate.changes.iter().filter(|it| it.retires_lost_key() && it.address.name == *name);
        let lost = lost.filter_map(|it| it.before.as_ref()?.id().cloned()).collect();
        go_first(self.input.facts, &lost, created.before.is_some()).contains(&self.key.id)
    }

    /// Returns whether nobody needs this expired key: an entry says that it must not exist, or another key of its name
    /// works.
    fn is_replaced(&self) -> bool {
        let Self { input, key, .. } = self;
        let works = |other: &LiveKey| other.name == key.name && other.enabled && !has_expired(input, other);
        let means_it =
            |entry: &&DesiredKey| entry.name == key.name && entry.id.as_ref().is_none_or(|id| *id == key.id);
        input.live.keys().iter().any(works) || input.desired.keys.iter().filter(means_it).any(|entry| entry.absent)
    }
}

/// Returns the reason of a hold in words. What the stage says of an entry with an error isn't repeated.
pub(super) fn words(reason: &HoldReason) -> String {
    match reason {
        HoldReason::Unplannable { why, .. } => why.clone(),
        reason => reason.to_string(),
    }
}

pub(super) fn step(is: StepKind, at: Option<Timestamp>, scheduled: bool) -> Step {
    Step { is, at, scheduled }
}

fn delivered(receipt: &Receipt) -> Delivered {
    let Receipt { at, to, not_to, fingerprint, encrypted: _ } = receipt;
    let target = |name: &String, arrived| Target { name: name.clone(), arrived, now: None, why: None };
    let targets = to.iter().map(|name| target(name, true)).chain(not_to.iter().map(|name| target(name, false)));
    Delivered { at: *at, fingerprint: fingerprint.clone(), targets: targets.collect() }
}
