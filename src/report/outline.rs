//! The words in which every form of a report describes a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;

use super::fields::{FieldChange, fields, in_words};
use super::risk::{Reach, first_invitations, reaches};
use super::style::{called, clean, first, minute, plural};
use rolecall_model::{
    Ability, AccessChange, Action, Address, Cause, Change, Effect, Ending, EndingAccess, Entity, FirstInvitation,
    Hold, HoldClass, HoldReason, Kind, LastInSync, Limited, May, NearEnding, OrganizationPlan, Origin, Part,
    Privilege, Seen, Together, User,
};

/// One row of a report: a change, or somebody whose access changes with a role, a team or the organisation.
pub(super) struct Outline {
    /// `+` for a change that gives access, `~` for an update, `-` for a change that takes access.
    pub sign: &'static str,
    pub kind: Kind,
    pub address: String,
    /// `None` for somebody who isn't changed themselves.
    pub action: Option<Action>,
    pub verb: String,
    /// The access before and after, such as `Viewer → Admin`, and what else is gained and lost.
    pub access: Option<String>,
    /// The number of mails that the change sends.
    pub mails: usize,
    /// Side effects of the change.
    pub effects: Vec<Note>,
    pub cause: Option<String>,
    /// The note of the files.
    pub note: Option<String>,
    pub fields: Vec<FieldChange>,
    /// The place in the files that asks for it, as file:line:column.
    pub place: Option<String>,
    /// The effect of the change on privileged access, if it has any.
    pub privileged: Option<Privilege>,
    /// Everything that somebody may do afterwards and no longer, in words.
    pub meaning: Vec<Meaning>,
    /// The holders whose access changes too, because they have the role or are in the team.
    pub holders: Vec<String>,
    /// Whether the change completes what an earlier apply began.
    pub leftover: bool,
    /// The last time that the ledger saw the entity as the files say, in words.
    pub last_in_sync: Option<String>,
    /// The origin, if the plan was compared with a base.
    pub origin: Option<Origin>,
}

/// Abilities that somebody gains, or loses.
pub(super) struct Meaning {
    /// `may now` or `no longer`.
    pub label: &'static str,
    /// Each resource with the abilities there. Privileged ones come first.
    pub at: Vec<(String, Vec<String>)>,
}

pub(super) struct Note {
    pub text: String,
    /// Whether a reader should not overlook it.
    pub warns: bool,
}

impl Note {
    fn says(text: impl Into<String>) -> Self {
        Self { text: text.into(), warns: false }
    }

    fn warns(text: impl Into<String>) -> Self {
        Self { text: text.into(), warns: true }
    }
}

impl Outline {
    /// Returns everything to say beside the verb: the access, the mails, the side effects and the cause.
    pub fn notes(&self) -> Vec<Note> {
        let mails = match self.mails {
            0 => None,
            1 => Some(Note::warns("sends mail")),
            several => Some(Note::warns(format!("sends {several} mails"))),
        };
        let effects = self.effects.iter().map(|Note { text, warns }| Note { text: text.clone(), warns: *warns });
        let access = self.access.iter().map(Note::says);
        let note = self.note.iter().map(|note| Note::says(format!("note: {note}")));
        access.chain(mails).chain(effects).chain(self.cause.iter().map(Note::says)).chain(note).collect()
    }

    /// Returns whether the row is about a person.
    pub fn is_person(&self) -> bool {
        matches!(self.kind, Kind::User | Kind::Invitation)
    }
}

impl Meaning {
    /// Lists the first resources with their first abilities, and counts the others.
    pub fn in_words(&self, listed: usize, word: impl Fn(&String) -> String) -> String {
        let shown = self.at.iter().take(listed);
        let mut parts: Vec<String> = shown
            .map(|(at, abilities)| format!("{} at {}", first(abilities.iter(), listed, &word), word(at)))
            .collect();
        let more = self.at.len().saturating_sub(listed);
        parts.extend((more > 0).then(|| plural(more, "more place")));
        parts.join("; ")
    }
}

/// The line that sums up a plan.
pub(super) struct Verdict {
    pub headline: String,
    pub rest: String,
}

/// Returns the name of an organisation.
pub(super) fn name(plan: &OrganizationPlan) -> String {
    let identity = &plan.sealed.identity;
    called(identity.provider, &identity.organization)
}

pub(super) fn outline(change: &Change, plan: &OrganizationPlan) -> Outline {
    let fields = fields(change);
    let origin = plan.origin(&change.address).cloned();
    let drifted = origin.iter().filter(|origin| !origin.drifted.is_empty()).map(|origin| {
        let fields: Vec<&str> = origin.drifted.iter().map(String::as_str).collect();
        Note::warns(format!("also takes back drift: {}", clean(fields.join(", "))))
    });
    let together = plan.together.iter().filter(|together| together.changes.contains(&change.address));
    let together = together.map(|Together { with, .. }| Note::warns(only_together(with)));
    let holders = change.effects.iter().filter_map(|effect| match effect {
        Effect::Affects { holders } => Some(holders.iter().map(clean)),
        _ => None,
    });
    Outline {
        sign: sign(change.action),
        kind: change.address.kind,
        address: clean(&change.address),
        action: Some(change.action),
        verb: verb(change),
        access: access_note(&fields),
        // Each user whom the creation of an organisation invites has a row of their own.
        mails: usize::from(change.effects.contains(&Effect::SendsMail)),
        effects: change.effects.iter().filter_map(effect).chain(drifted).chain(together).collect(),
        cause: cause(change, plan),
        note: plan.notes.get(&change.address).map(clean),
        fields,
        place: plan.places.get(&change.address.to_string()).map(clean),
        privileged: plan.privileged.get(&change.address).copied(),
        meaning: plan.access.get(&change.address).map(|change| meaning(change, false)).unwrap_or_default(),
        holders: holders.flatten().collect(),
        leftover: plan.is_leftover(change),
        last_in_sync: last_in_sync(plan, &change.address),
        origin,
    }
}

/// Returns in words when the ledger last saw an entity as the files say, by which run, and that rolecall didn't move it.
pub(super) fn last_in_sync(plan: &OrganizationPlan, address: &Address) -> Option<String> {
    let LastInSync { at, run } = plan.last_in_sync.get(address)?;
    Some(format!("was as the file says on {}, run {}; changed since, not by rolecall", minute(*at), clean(run)))
}

/// Returns the words for what no version of the files alone has.
pub(super) fn only_together(with: &[String]) -> String {
    format!("only together with {}", first(with.iter(), 3, clean))
}

/// Returns what a change of access means, in words. `with_roles`: also the roles, which the fields of a change show.
fn meaning(AccessChange { gains, loses }: &AccessChange, with_roles: bool) -> Vec<Meaning> {
    let in_words = |Limited { ability: Ability { may, privileged, .. }, except }: &Limited| {
        let role = if matches!(may, May::Role(_)) { "role " } else { "" };
        let privileged = if *privileged { " (privileged)" } else { "" };
        let except = if except.is_empty() {
            String::new()
        } else {
            format!(" (except at {})", first(except.iter(), 3, ToString::to_string))
        };
        format!("{role}{may}{except}{privileged}")
    };
    let is_shown =
        |limited: &&Limited| with_roles || matches!(limited.ability.may, May::Permission(_) | May::Administrate);
    let both = [("may now", gains), ("no longer", loses)].map(|(label, changes)| {
        let mut at: BTreeMap<&Part, (bool, Vec<String>)> = BTreeMap::new();
        for limited in changes.iter().filter(is_shown) {
            let (privileged, abilities) = at.entry(&limited.ability.at).or_default();
            *privileged |= limited.ability.privileged;
            abilities.push(in_words(limited));
        }
        let mut at: Vec<(&Part, (bool, Vec<String>))> = at.into_iter().collect();
        at.sort_by_key(|(_, (privileged, _))| !privileged);
        Meaning { label, at: at.into_iter().map(|(at, (_, abilities))| (at.to_string(), abilities)).collect() }
    });
    both.into_iter().filter(|meaning| !meaning.at.is_empty()).collect()
}

/// Returns every change, and everybody who becomes privileged or no longer is with one of them: the privileged ones
/// first.
pub(super) fn outlines(plan: &OrganizationPlan) -> Vec<Outline> {
    let mut all = rows(plan);
    let moves = |outline: &Outline| matches!(outline.privileged, Some(Privilege::Gains | Privilege::Loses));
    all.retain(|outline| outline.action.is_some() || moves(outline));
    all.sort_by_key(|outline| outline.privileged.is_none());
    all
}

/// Returns every change and everybody whose access changes with one of them: people first, and of those the privileged
/// ones.
pub(super) fn rows(plan: &OrganizationPlan) -> Vec<Outline> {
    let (reaches, causes) = (reaches(plan), Causes::of(plan));
    let changed = plan.sealed.changes.iter().map(|change| outline(change, plan));
    let mut rows: Vec<Outline> = changed.collect();
    let changed: BTreeSet<_> = plan.sealed.changes.iter().filter_map(|change| change.address.holder()).collect();
    for (address, access) in &plan.access {
        let Some(holder) = address.holder().filter(|holder| !changed.contains(holder)) else { continue };
        let reach = reaches.get(&holder).copied().flatten().unwrap_or(Reach::Other);
        rows.push(follower(address, access, reach, plan, &causes));
    }
    rows.extend(first_invitations(plan).map(|first| newcomer(first, plan, &causes)));
    rows.sort_by_key(|row| (!row.is_person(), row.privileged.is_none()));
    rows
}

/// The changes of roles, teams and the organisation, by those whose access they may change.
#[derive(Default)]
struct Causes<'a> {
    all: Vec<&'a Change>,
    of_part: BTreeMap<String, &'a Change>,
    of_holder: BTreeMap<&'a Address, Vec<&'a Change>>,
}

impl<'a> Causes<'a> {
    fn of(plan: &'a OrganizationPlan) -> Self {
        let mut causes = Self::default();
        for change in plan.sealed.changes.iter().filter(|change| change.address.holder().is_none()) {
            causes.all.push(change);
            causes.of_part.insert(change.address.to_string(), change);
            for effect in &change.effects {
                let Effect::Affects { holders } = effect else { continue };
                for holder in holders {
                    causes.of_holder.entry(holder).or_default().push(change);
                }
            }
        }
        causes
    }

    /// Returns the changes because of which somebody's access changes: of the parts where it does, of their roles and
    /// teams, or any.
    fn because(&self, address: &Address, access: &AccessChange) -> Vec<&'a Change> {
        let parts = access.gains.iter().chain(&access.loses).map(|limited| limited.ability.at.to_string());
        let parts: BTreeSet<String> = parts.collect();
        let of_parts: Vec<&Change> = parts.iter().filter_map(|part| self.of_part.get(part).copied()).collect();
        match self.of_holder.get(address) {
            _ if !of_parts.is_empty() => of_parts,
            Some(changes) => changes.clone(),
            None => self.all.clone(),
        }
    }
}

/// Returns the row of somebody who isn't changed themselves.
fn follower(
    address: &Address,
    access: &AccessChange,
    reach: Reach,
    plan: &OrganizationPlan,
    causes: &Causes<'_>,
) -> Outline {
    let because = causes.because(address, access);
    let origin = because.first().and_then(|change| plan.origin(&change.address));
    let meaning = meaning(access, true);
    let sums =
        meaning.iter().map(|meaning| format!("{} {}", meaning.label, meaning.in_words(1, |word| clean(word))));
    Outline {
        sign: "~",
        kind: address.kind,
        address: clean(address),
        action: None,
        verb: reach.words().0.to_owned(),
        access: Some(sums.collect::<Vec<_>>().join("; ")),
        mails: 0,
        effects: Vec::new(),
        cause: Some(format!("by {}", first(because.iter(), 2, |change| clean(&change.address)))),
        note: plan.notes.get(address).map(clean),
        fields: Vec::new(),
        place: None,
        privileged: plan.privileged.get(address).copied(),
        meaning,
        holders: Vec::new(),
        leftover: false,
        last_in_sync: None,
        origin: origin.map(|origin| Origin { lines: Vec::new(), drifted: BTreeSet::new(), ..origin.clone() }),
    }
}

/// Returns the row of a user who is invited by creating the organisation.
fn newcomer(first: &FirstInvitation, plan: &OrganizationPlan, causes: &Causes<'_>) -> Outline {
    Outline {
        sign: "+",
        verb: "invite".to_owned(),
        access: Some(format!("nothing → {}", clean(&first.role))),
        mails: 1,
        ..follower(&Address::user(&first.email), &AccessChange::default(), Reach::Gets, plan, causes)
    }
}

/// Returns the access that a change gives and takes: its roles, such as `Viewer → Admin`, and what it gains and loses of
/// another kind, such as permissions or teams.
fn access_note(fields: &[FieldChange]) -> Option<String> {
    let roles = fields.iter().find_map(|field| match (field.name, &field.before, &field.after) {
        ("roles", before, Some(after)) => {
            Some(format!("{} → {}", before.as_ref().map_or_else(|| "nothing".to_owned(), clean), clean(after)))
        }
        ("loses roles", _, Some(had)) => Some(format!("{} → nothing", clean(had))),
        _ => None,
    });
    let others = fields
        .iter()
        .filter(|field| matches!(field.name, "permissions" | "resources" | "teams") && field.before.is_some());
    let listed = |word: &str, parts: &[String]| {
        (!parts.is_empty()).then(|| format!("{word} {}", first(parts.iter(), 3, clean)))
    };
    let others = others.flat_map(|field| [listed("gains", &field.gained), listed("loses", &field.lost)]);
    let parts: Vec<String> = roles.into_iter().chain(others.flatten()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Returns why an entity is skipped, and the change that a guardrail stops.
pub(super) fn reason(hold: &Hold) -> String {
    let stopped = match &hold.reason {
        HoldReason::Protected { change: Some(change) }
        | HoldReason::ProtectsHolders { change: Some(change), .. }
        | HoldReason::HoldersStay { change: Some(change), .. } => {
            format!(" It stops this change: {}.", in_words(change))
        }
        _ => String::new(),
    };
    format!("{}{stopped}", clean(&hold.reason))
}

fn sign(action: Action) -> &'static str {
    match action {
        Action::Invite | Action::Create | Action::Enable => "+",
        Action::Update => "~",
        Action::Disable | Action::RemoveAccess | Action::Cancel | Action::Remove | Action::Delete => "-",
    }
}

fn verb(change: &Change) -> String {
    match (change.action, &change.before) {
        (Action::Invite, Some(Entity::User(before))) if before.invited => "invite again".to_owned(),
        (Action::Invite, _) => "invite".to_owned(),
        (Action::Update, Some(Entity::User(user))) if has_role_alone(user) => "update the role".to_owned(),
        (Action::Update, _) => "update".to_owned(),
        (Action::Disable, _) => "disable".to_owned(),
        (Action::RemoveAccess, _) => "remove all access".to_owned(),
        (Action::Cancel, _) => "cancel".to_owned(),
        (Action::Remove, _) => "remove from the organisation".to_owned(),
        (Action::Delete, Some(Entity::User(_))) => "delete the account".to_owned(),
        (Action::Delete, _) => "delete".to_owned(),
        (Action::Create, Some(Entity::Key(old))) => match &old.id {
            Some(id) => format!("create a successor of {}", clean(id)),
            None => "create a successor".to_owned(),
        },
        (Action::Create, _) => "create".to_owned(),
        (Action::Enable, _) => "enable".to_owned(),
    }
}

/// Returns whether the role is all that an update of this user can write.
fn has_role_alone(user: &User) -> bool {
    let User { first_name, last_name, phone, resources, teams, enabled, .. } = user;
    let named = first_name.is_some() || last_name.is_some() || phone.is_some();
    !named && resources.is_none() && teams.is_none() && *enabled != Seen::Unreadable
}

/// Returns why a change is planned, if that isn't what the file says, and since when it is overdue.
pub(super) fn cause(change: &Change, plan: &OrganizationPlan) -> Option<String> {
    let why = match &change.cause {
        Cause::Declared => return None,
        Cause::DeclaredAbsent => "absent: true".to_owned(),
        Cause::NotListed => "not in the file, and `manage` says all".to_owned(),
        Cause::Asserted => "asked for with --assert".to_owned(),
        Cause::Superseded { by, not_to } if not_to.is_empty() => {
            format!("its successor {} is delivered", clean(by))
        }
        Cause::Superseded { by, not_to } => format!(
            "its successor {} is delivered, but not to {}: bring its secret there before you apply this",
            clean(by),
            clean(not_to.join(" and "))
        ),
        Cause::SecretLost if change.action == Action::Create => {
            "the secret of an earlier key was never delivered".to_owned()
        }
        Cause::DeliveryUnknown if change.action == Action::Create => {
            "a run died while it delivered the secret of an earlier key".to_owned()
        }
        Cause::DeliveryUnknown => "a run died while it delivered its secret, so a program may use it".to_owned(),
        Cause::SecretLost => "its secret was never delivered".to_owned(),
        Cause::AlreadyMember => "the user is a member already".to_owned(),
        Cause::NeededByAnother => "needed by another change".to_owned(),
        Cause::InvitationExpired => "the earlier invitation expired".to_owned(),
        Cause::CompletesInvitation => "completes an invitation that was accepted".to_owned(),
        Cause::DueForRotation { since: Some(since), .. } => format!("due for rotation since {since}"),
        Cause::DueForRotation { since: None, .. } => "due for rotation".to_owned(),
        Cause::LeftDirectory => "isn't in the directory".to_owned(),
        Cause::Ended { until } => format!("ended on {until}{}", missed(change, plan)),
        Cause::InvitationVanished => "the earlier invitation is gone".to_owned(),
    };
    let overdue = plan.overdue.get(&change.address);
    Some(why + &overdue.map(|since| format!("; {}", overdue_since(*since))).unwrap_or_default())
}

/// Returns the words for a step of a rotation that no run has taken.
pub(super) fn overdue_since(since: Timestamp) -> String {
    format!("overdue since {since}, and no run has done it: check the schedule of `rolecall apply --leftovers`")
}

/// Returns how long ago access ended that a change takes, if a run should have taken it since.
fn missed(change: &Change, plan: &OrganizationPlan) -> String {
    let of_it = plan.endings.iter().filter(|near| {
        let is_cause = matches!(change.cause, Cause::Ended { until } if until == near.ending.until);
        is_cause && near.ending.address.name == change.address.name && near.days < 0
    });
    // The day on which it ended is the first of which a run can take it.
    match of_it.map(|near| -near.days - 1).max() {
        None | Some(0) => String::new(),
        Some(days) => {
            let days = plural(usize::try_from(days).unwrap_or_default(), "day");
            format!(", {days} ago, and no run has taken it since")
        }
    }
}

/// The number of ends of access that a report lists.
pub(super) const ENDINGS_LISTED: usize = 20;

/// Access that ends, in words.
pub(super) struct EndingLine {
    pub address: String,
    pub text: String,
    pub place: String,
}

/// Returns the access that ends soon.
pub(super) fn endings(plan: &OrganizationPlan) -> Vec<EndingLine> {
    let line = |NearEnding { ending: Ending { until, address, what, place }, days }: &NearEnding| {
        let when = match days {
            ..=0 => "within a day".to_owned(),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        };
        let text = match what {
            EndingAccess::Age => format!("gets its successor {when}, on {until}"),
            what => format!("{}: ends {when}, on {until}", clean(what)),
        };
        EndingLine { address: clean(address), text, place: clean(place) }
    };
    plan.endings.iter().filter(|near| near.days >= 0).map(line).collect()
}

/// Returns the words for an effect. `None` if it is a mail, or is shown as a field.
fn effect(effect: &Effect) -> Option<Note> {
    let says = |text: &str| Note::says(text);
    let warns = |text: &str| Note::warns(text);
    Some(match effect {
        Effect::ReplacesInvitation => warns("the link in the earlier mail stops working"),
        Effect::AccessFollows => says("no access yet: the role and resources follow after acceptance"),
        Effect::TakesEnded { until } => {
            says(&format!("takes what ended on {until}; `--leftovers` leaves it, because it sends mail"))
        }
        Effect::RolesFollow => says("the other roles follow after acceptance"),
        Effect::EveryOrganization => warns("affects the account in every organisation of the platform"),
        Effect::Irreversible => warns("can't be undone"),
        Effect::CascadesTo { what } => warns(&format!("also deletes {}", clean(what))),
        Effect::ComesWith { what } => warns(&format!("the platform adds {}", clean(what))),
        Effect::DefaultRole { role } => {
            says(&format!("the API can't take a role away: it becomes the default `{}`", clean(role)))
        }
        Effect::SlugMayChange => warns("its slug may change too"),
        Effect::MayBill => warns("may change the price"),
        Effect::SendsMail | Effect::Allows { .. } | Effect::Affects { .. } | Effect::Contains { .. } => {
            return None;
        }
        Effect::FirstAllows { .. } => says("in two steps"),
        Effect::MayReEnable => warns("may re-enable"),
        Effect::ReEnables => warns("re-enables"),
        Effect::MayReadmit => warns("may readmit a disabled person"),
        Effect::SecretTo { target } => says(&format!("secret to {}", clean(target))),
        Effect::Platform { code: _, text, warns } => Note { text: clean(text), warns: *warns },
    })
}

/// The actions that the last line counts, in its order.
const COUNTED: &[Action] = &[
    Action::Invite,
    Action::Create,
    Action::Enable,
    Action::Update,
    Action::Disable,
    Action::RemoveAccess,
    Action::Cancel,
    Action::Remove,
    Action::Delete,
];

/// Returns the line that sums up a plan.
pub(super) fn verdict(plan: &OrganizationPlan) -> Verdict {
    let blocked = plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked).count();
    let counted = |count: usize, word: &str| if count == 0 { String::new() } else { format!(", {count} {word}") };
    let attention = if blocked == 1 { "needs attention" } else { "need attention" };
    let mut holds = counted(blocked, attention) + &counted(plan.sealed.holds.len() - blocked, "skipped");
    if plan.not_selected > 0 {
        let _ = write!(holds, ", {} not selected", plural(plan.not_selected, "change"));
    }
    let admins = format!("Usable admins after: {}.", plan.usable_admins_after);
    let count = |kind: Kind, action: Action| {
        let of_kind = |change: &&Change| change.address.kind == kind && change.action == action;
        plan.sealed.changes.iter().filter(of_kind).count()
    };
    let mut counted = Vec::new();
    for kind in Kind::ALL {
        for action in COUNTED {
            match count(*kind, *action) {
                0 => {}
                some => counted.push(to_do(some, *kind, *action)),
            }
        }
    }
    if counted.is_empty() {
        return Verdict { headline: "No changes".to_owned(), rest: format!("{holds}. {admins}") };
    }
    let rest = format!(
        "{holds}. {}, {}. {admins}",
        plural(plan.sealed.mutations.len(), "mutation"),
        plural(plan.sealed.changes.iter().map(mails).sum(), "mail"),
    );
    Verdict { headline: counted.join(", "), rest }
}

/// Returns what is to be done to so many entities, such as `2 users to invite`.
pub(super) fn to_do(count: usize, kind: Kind, action: Action) -> String {
    let what = match action {
        Action::RemoveAccess => "to lose all access".to_owned(),
        other => format!("to {other}"),
    };
    let noun = if kind == Kind::Organization { "organisation" } else { kind.as_str() };
    format!("{} {what}", plural(count, noun))
}

/// Returns the number of mails that a change sends.
pub(super) fn mails(change: &Change) -> usize {
    let first = change.after.as_ref().and_then(Entity::organization).map_or(0, |made| made.invites.len());
    first + usize::from(change.effects.contains(&Effect::SendsMail))
}

/// Returns the line that sums up a drift report.
pub(super) fn drift_verdict(plan: &OrganizationPlan) -> Verdict {
    let holds = || plan.sealed.holds.iter();
    let blocked = holds().filter(|hold| hold.class == HoldClass::Blocked).count();
    let unmanaged = |wanted: bool| {
        let of_kind =
            |hold: &&Hold| matches!(hold.reason, HoldReason::Unmanaged { privileged, .. } if privileged == wanted);
        holds().filter(of_kind).count()
    };
    let changes = plan.differences().count();
    let leftovers = match plan.leftovers().count() {
        0 => String::new(),
        left => format!(" Still to do by rolecall: {left}."),
    };
    Verdict {
        headline: if changes == 0 && blocked == 0 { "No drift" } else { "Drift" }.to_owned(),
        rest: format!(
            ": {}, {} that {} attention. Not in the file: {}, {} of them privileged.{leftovers}",
            plural(changes, "difference"),
            blocked,
            if blocked == 1 { "needs" } else { "need" },
            unmanaged(true) + unmanaged(false),
            unmanaged(true),
        ),
    }
}
