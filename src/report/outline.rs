//! What every form of a report says of a plan, in the same words.

use super::fields::{FieldChange, fields};
use super::style::{called, clean, plural};
use rolecall_model::{
    Action, Cause, Change, Effect, Entity, Hold, HoldClass, HoldReason, Kind, OrganizationPlan, SeatChange, Seen,
    User,
};

/// One change, as it is told.
pub(super) struct Outline {
    /// `+` gives, `~` changes, `-` takes.
    pub sign: &'static str,
    pub address: String,
    pub verb: String,
    /// What happens besides, and why.
    pub notes: Vec<Note>,
    pub fields: Vec<FieldChange>,
    /// Where in the files it was asked for, as file:line:column.
    pub place: Option<String>,
    /// Does somebody, or a key, gain or lose what few have?
    pub privileged: bool,
}

pub(super) struct Note {
    pub text: String,
    /// Something that a reader should not pass over.
    pub warns: bool,
}

/// The line that sums a plan up.
pub(super) struct Verdict {
    pub headline: String,
    pub rest: String,
}

/// What an organisation is called.
pub(super) fn name(plan: &OrganizationPlan) -> String {
    let identity = &plan.sealed.identity;
    called(identity.provider, &identity.organization)
}

pub(super) fn outline(change: &Change, plan: &OrganizationPlan) -> Outline {
    Outline {
        sign: sign(change.action),
        address: clean(&change.address),
        verb: verb(change),
        notes: change.effects.iter().filter_map(effect).chain(cause(&change.cause)).collect(),
        fields: fields(change),
        place: plan.places.get(&change.address.to_string()).map(clean),
        privileged: plan.privileged.contains(&change.address),
    }
}

/// Every change, the privileged ones first.
pub(super) fn outlines(plan: &OrganizationPlan) -> Vec<Outline> {
    let mut all: Vec<Outline> = plan.sealed.changes.iter().map(|change| outline(change, plan)).collect();
    all.sort_by_key(|outline| !outline.privileged);
    all
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
        (Action::Invite, Some(Entity::User(before))) if before.invited => "invite anew".to_owned(),
        (Action::Invite, _) => "invite".to_owned(),
        (Action::Update, Some(Entity::User(user))) if has_role_alone(user) => "change the role".to_owned(),
        (Action::Update, Some(Entity::Organization(_) | Entity::Team(_))) => "change".to_owned(),
        (Action::Update, Some(Entity::User(user))) if user.teams.is_some() => "change".to_owned(),
        (Action::Update, _) => "replace the full record".to_owned(),
        (Action::Disable, _) => "disable".to_owned(),
        (Action::RemoveAccess, _) => "take all access".to_owned(),
        (Action::Cancel, _) => "cancel the invitation".to_owned(),
        (Action::Remove, _) => "leaves the organisation".to_owned(),
        (Action::Delete, Some(Entity::User(_))) => "delete the account".to_owned(),
        (Action::Delete, _) => "delete".to_owned(),
        (Action::Create, Some(Entity::Key(old))) => match &old.id {
            Some(id) => format!("create a successor of {}", clean(id)),
            None => "create a successor".to_owned(),
        },
        (Action::Create, _) => "create".to_owned(),
        (Action::Enable, _) => "enable again".to_owned(),
    }
}

/// Is there nothing else of a user that an update could write?
fn has_role_alone(user: &User) -> bool {
    let User { first_name, last_name, phone, resources, teams, enabled, .. } = user;
    let named = first_name.is_some() || last_name.is_some() || phone.is_some();
    !named && resources.is_none() && teams.is_none() && *enabled != Seen::Unreadable
}

fn cause(cause: &Cause) -> Option<Note> {
    let text = match cause {
        Cause::Declared => return None,
        Cause::DeclaredAbsent => "absent: true".to_owned(),
        Cause::NotListed => "not in the file, which manages all".to_owned(),
        Cause::Asserted => "asked for with --assert".to_owned(),
        Cause::Superseded { by } => format!("its successor {} is delivered", clean(by)),
        Cause::SecretLost => "its secret never arrived anywhere".to_owned(),
        Cause::AlreadyMember => "they are a member already".to_owned(),
        Cause::Needed => "needed by another change".to_owned(),
        Cause::InvitationExpired => "the earlier invitation has run out".to_owned(),
        Cause::InvitationVanished => "the earlier invitation has vanished".to_owned(),
    };
    Some(Note { text, warns: false })
}

/// What an effect is called. None: it is shown as a field.
fn effect(effect: &Effect) -> Option<Note> {
    let warns = |text: &str| Note { text: text.to_owned(), warns: true };
    let says = |text: &str| Note { text: text.to_owned(), warns: false };
    Some(match effect {
        Effect::SendsMail => warns("sends mail"),
        Effect::ReplacesInvitation => warns("the earlier link stops working"),
        Effect::AccessFollows => says("no access yet; role and resources follow once accepted"),
        Effect::RolesFollow => says("the rest of the roles follows once accepted"),
        Effect::HubWide => warns("concerns their account in every organisation of the platform"),
        Effect::Irreversible => warns("can't be undone"),
        Effect::CascadesTo { what } => warns(&format!("with {}", clean(what))),
        Effect::ComesWith { what } => warns(&format!("comes with {}", clean(what))),
        Effect::JoinsEveryTeam => says("joins every team"),
        Effect::MayLeaveTeams => warns("may leave teams: `teams` says in which they stay"),
        Effect::ComesBackAs { team, role } => {
            says(&format!("comes back into {} as {} at first", clean(team), clean(role)))
        }
        Effect::DefaultRole { role } => {
            says(&format!("no call takes a role away: overwritten with the default `{}`", clean(role)))
        }
        Effect::SlugMayChange => warns("its slug may change with it"),
        Effect::MayBill => warns("another price"),
        Effect::Allows { .. } | Effect::Touches { .. } | Effect::Contains { .. } => return None,
        Effect::FirstAllows { .. } => says("in two steps"),
        Effect::MayReEnable => warns("may re-enable"),
        Effect::ReEnables => warns("re-enables"),
        Effect::MayReadmit => warns("may readmit a disabled person"),
        Effect::Seat { change } => match change {
            SeatChange::Billed => warns("takes a billed seat"),
            SeatChange::Unbilled => warns("frees a billed seat"),
            SeatChange::Unknown => says("perhaps another kind of seat"),
        },
        Effect::NeedsPlan { plan } => says(&format!("needs the {}", clean(plan))),
        Effect::SecretTo { target } => says(&format!("secret to {}", clean(target))),
    })
}

/// What the last line counts, in its order.
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

/// The one line that sums a plan up.
pub(super) fn verdict(plan: &OrganizationPlan) -> Verdict {
    let held = plan.sealed.holds.len();
    let blocked = plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked).count();
    let holds = match (held, blocked) {
        (0, _) => String::new(),
        (_, 0) => format!(", {held} held"),
        _ => format!(", {held} held ({blocked} blocked)"),
    };
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
                some => counted.push(format!("{} to {action}", plural(some, kind.as_str()))),
            }
        }
    }
    if counted.is_empty() {
        return Verdict { headline: "Nothing to do".to_owned(), rest: format!("{holds}. {admins}") };
    }
    let rest = format!(
        "{holds}. {}, {}. {admins}",
        plural(plan.sealed.mutations.len(), "mutation"),
        plural(plan.sealed.changes.iter().map(mails).sum(), "mail"),
    );
    Verdict { headline: counted.join(", "), rest }
}

/// How many mails a change sends.
pub(super) fn mails(change: &Change) -> usize {
    let first = change.after.as_ref().and_then(Entity::organization).map_or(0, |made| made.invites.len());
    first + usize::from(change.effects.contains(&Effect::SendsMail))
}

/// The same of a plan that is read as a report on live.
pub(super) fn drift_verdict(plan: &OrganizationPlan) -> Verdict {
    let holds = || plan.sealed.holds.iter();
    let blocked = holds().filter(|hold| hold.class == HoldClass::Blocked).count();
    let unmanaged = |wanted: bool| {
        let of_kind =
            |hold: &&Hold| matches!(hold.reason, HoldReason::Unmanaged { privileged } if privileged == wanted);
        holds().filter(of_kind).count()
    };
    let changes = plan.sealed.changes.len();
    Verdict {
        headline: if changes == 0 && blocked == 0 { "No drift" } else { "Drift" }.to_owned(),
        rest: format!(
            ": {} to close, {} blocked. Not in the file: {}, {} of them privileged.",
            plural(changes, "difference"),
            blocked,
            unmanaged(true) + unmanaged(false),
            unmanaged(true),
        ),
    }
}
