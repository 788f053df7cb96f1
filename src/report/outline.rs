//! The words in which every form of a report describes a plan.

use std::fmt::Write as _;

use super::fields::{FieldChange, fields, in_words};
use super::style::{called, clean, first, minute, plural};
use rolecall_model::{
    Ability, AccessChange, Action, Address, Cause, Change, Effect, Entity, Hold, HoldClass, HoldReason, Kind,
    LastInSync, Limited, May, OrganizationPlan, Privilege, Seen, User,
};

/// One change, in the words of a report.
pub(super) struct Outline {
    /// `+` for a change that gives access, `~` for an update, `-` for a change that takes access.
    pub sign: &'static str,
    pub address: String,
    pub verb: String,
    /// Side effects of the change, and its cause.
    pub notes: Vec<Note>,
    pub fields: Vec<FieldChange>,
    /// The place in the files that asks for it, as file:line:column.
    pub place: Option<String>,
    /// The effect of the change on privileged access, if it has any.
    pub privileged: Option<Privilege>,
    /// Everything that somebody may do afterwards and no longer, in words.
    pub meaning: Vec<Meaning>,
    /// Whether the change completes what an earlier apply began.
    pub leftover: bool,
    /// The last time that the ledger saw the entity as the files say, in words.
    pub last_in_sync: Option<String>,
}

/// Abilities that somebody gains, or loses.
pub(super) struct Meaning {
    /// `may now` or `no longer`.
    pub label: &'static str,
    /// Each ability with its place, such as `member:modify at organization`. Privileged ones come first.
    pub abilities: Vec<String>,
}

pub(super) struct Note {
    pub text: String,
    /// Whether a reader should not overlook it.
    pub warns: bool,
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
    let effects = change.effects.iter().filter_map(effect);
    Outline {
        sign: sign(change.action),
        address: clean(&change.address),
        verb: verb(change),
        notes: access_note(&fields).into_iter().chain(effects).chain(cause(&change.cause)).collect(),
        fields,
        place: plan.places.get(&change.address.to_string()).map(clean),
        privileged: plan.privileged.get(&change.address).copied(),
        meaning: plan.access.get(&change.address).map(meaning).unwrap_or_default(),
        leftover: change.is_leftover(),
        last_in_sync: last_in_sync(plan, &change.address),
    }
}

/// Returns in words when the ledger last saw an entity as the files say, by which run, and that rolecall didn't move it.
pub(super) fn last_in_sync(plan: &OrganizationPlan, address: &Address) -> Option<String> {
    let LastInSync { at, run } = plan.last_in_sync.get(address)?;
    Some(format!("was as the file says on {}, run {}; changed since, not by rolecall", minute(*at), clean(run)))
}

/// Returns what a change of access means, in words. Roles are left out, because the fields of a change show them.
fn meaning(AccessChange { gains, loses }: &AccessChange) -> Vec<Meaning> {
    let in_words = |Limited { ability: Ability { may, at, privileged }, except }: &Limited| {
        if !matches!(may, May::Permission(_) | May::Administrate) {
            return None;
        }
        let privileged = if *privileged { " (privileged)" } else { "" };
        let except = if except.is_empty() {
            String::new()
        } else {
            format!(", except {}", first(except.iter(), 3, ToString::to_string))
        };
        Some(format!("{may} at {at}{except}{privileged}"))
    };
    let both = [("may now", gains), ("no longer", loses)];
    let meanings =
        both.map(|(label, changes)| Meaning { label, abilities: changes.iter().filter_map(in_words).collect() });
    meanings.into_iter().filter(|meaning| !meaning.abilities.is_empty()).collect()
}

/// Returns those whose access changes although they are not changed themselves, because of a role or a team.
pub(super) fn affected(plan: &OrganizationPlan) -> Vec<(&Address, Vec<Meaning>)> {
    let others = plan.access.iter().filter(|(address, _)| plan.change(address).is_none());
    let affected = others.map(|(address, change)| (address, meaning(change)));
    affected.filter(|(_, meaning)| !meaning.is_empty()).collect()
}

/// Returns every change, the privileged ones first.
pub(super) fn outlines(plan: &OrganizationPlan) -> Vec<Outline> {
    let mut all: Vec<Outline> = plan.sealed.changes.iter().map(|change| outline(change, plan)).collect();
    all.sort_by_key(|outline| outline.privileged.is_none());
    all
}

/// Returns the access that a change gives and takes: its roles, such as `Viewer → Admin`, and what it gains and loses of
/// another kind, such as permissions or teams.
fn access_note(fields: &[FieldChange]) -> Option<Note> {
    let roles = fields.iter().find_map(|field| match (field.name, &field.before, &field.after) {
        ("roles", Some(before), Some(after)) => Some(format!("{} → {}", clean(before), clean(after))),
        ("roles", None, Some(after)) => Some(format!("with {}", clean(after))),
        ("loses roles", _, Some(had)) => Some(format!("loses {}", clean(had))),
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
    (!parts.is_empty()).then(|| Note { text: parts.join("; "), warns: false })
}

/// Returns why an entity is skipped, and the change that a guardrail stops.
pub(super) fn reason(hold: &Hold) -> String {
    let stopped = match &hold.reason {
        HoldReason::Protected { change: Some(change) }
        | HoldReason::ProtectsHolders { change: Some(change), .. } => {
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

fn cause(cause: &Cause) -> Option<Note> {
    let text = match cause {
        Cause::Declared => return None,
        Cause::DeclaredAbsent => "absent: true".to_owned(),
        Cause::NotListed => "not in the file, and `manage` says all".to_owned(),
        Cause::Asserted => "asked for with --assert".to_owned(),
        Cause::Superseded { by } => format!("its successor {} is delivered", clean(by)),
        Cause::SecretLost => "its secret was never delivered".to_owned(),
        Cause::AlreadyMember => "the user is a member already".to_owned(),
        Cause::NeededByAnother => "needed by another change".to_owned(),
        Cause::InvitationExpired => "the earlier invitation expired".to_owned(),
        Cause::CompletesInvitation => "completes an invitation that was accepted".to_owned(),
        Cause::InvitationVanished => "the earlier invitation is gone".to_owned(),
    };
    Some(Note { text, warns: false })
}

/// Returns the words for an effect. `None` if it is shown as a field.
fn effect(effect: &Effect) -> Option<Note> {
    let warns = |text: &str| Note { text: text.to_owned(), warns: true };
    let says = |text: &str| Note { text: text.to_owned(), warns: false };
    Some(match effect {
        Effect::SendsMail => warns("sends mail"),
        Effect::ReplacesInvitation => warns("the link in the earlier mail stops working"),
        Effect::AccessFollows => says("no access yet: the role and resources follow after acceptance"),
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
        Effect::Allows { .. } | Effect::Affects { .. } | Effect::Contains { .. } => return None,
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
