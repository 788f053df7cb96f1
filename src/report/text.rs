//! A plan for people.

use std::fmt::Write as _;

use anstyle::Style;

use super::fields::{FieldChange, fields};
use super::rails::push_rails;
use super::style::{ADD, BOLD, CHANGE, DIM, REMOVE, WARN, clean, paint, plural};
use crate::model::{
    Action, Cause, Change, Completeness, Effect, Entity, Hold, HoldClass, HoldReason, Kind, OrganizationPlan,
    Plan, SeatChange, Seen, User,
};

/// Unmanaged entities that a plan lists by name; `drift` lists all.
const UNMANAGED_SHOWN: usize = 20;

/// Parts of a set that are listed where it changes; `--format json` has all.
const PARTS_SHOWN: usize = 30;

/// The whole plan.
pub fn plan_text(plan: &Plan) -> String {
    let parts: Vec<String> = plan.organizations.iter().map(organization).collect();
    parts.join("\n")
}

fn organization(plan: &OrganizationPlan) -> String {
    let mut text = header(plan);
    for change in &plan.sealed.changes {
        push_change(&mut text, change, plan);
    }
    if !plan.sealed.changes.is_empty() {
        text.push('\n');
    }
    push_holds(&mut text, plan, Some(UNMANAGED_SHOWN));
    push_gaps(&mut text, plan);
    push_rails(&mut text, plan);
    let _ = writeln!(text, "{}", verdict(plan));
    text
}

pub(super) fn header(plan: &OrganizationPlan) -> String {
    let identity = &plan.sealed.identity;
    let name = format!("{} {}", identity.provider, clean(&identity.organization));
    let mut lists = Vec::new();
    for list in ["teams", "roles", "users", "invitations", "keys"] {
        let Some(completeness) = plan.completeness.get(list) else { continue };
        lists.push(match completeness {
            Completeness::Proven => format!("{list} proven complete"),
            Completeness::Assumed { .. } => format!("{list} assumed complete"),
            Completeness::Broken { .. } => format!("{list} INCOMPLETE"),
        });
    }
    let read = format!("{}; {}", plural(plan.requests, "request"), lists.join(", "));
    format!("{}   {}\n\n", paint(BOLD, name), paint(DIM, format!("on {}: {read}", clean(&identity.site))))
}

fn sign(action: Action) -> (&'static str, Style) {
    match action {
        Action::Invite | Action::Create | Action::Enable => ("+", ADD),
        Action::Replace => ("~", CHANGE),
        Action::Disable | Action::Contain | Action::Withdraw | Action::Remove | Action::Delete => ("-", REMOVE),
    }
}

fn verb(change: &Change) -> String {
    match (change.action, &change.before) {
        (Action::Invite, Some(Entity::User(before))) if before.invited => "invite anew".to_owned(),
        (Action::Invite, _) => "invite".to_owned(),
        (Action::Replace, Some(Entity::User(user))) if has_role_alone(user) => "change the role".to_owned(),
        (Action::Replace, Some(Entity::Organization(_) | Entity::Team(_))) => "change".to_owned(),
        (Action::Replace, Some(Entity::User(user))) if user.teams.is_some() => "change".to_owned(),
        (Action::Replace, _) => "replace the full record".to_owned(),
        (Action::Disable, _) => "disable".to_owned(),
        (Action::Contain, _) => "take all access".to_owned(),
        (Action::Withdraw, _) => "cancel the invitation".to_owned(),
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

fn cause(cause: &Cause) -> Option<String> {
    match cause {
        Cause::Declared => None,
        Cause::DeclaredAbsent => Some("absent: true".to_owned()),
        Cause::NotListed => Some("not in the file, which manages all".to_owned()),
        Cause::Asserted => Some("asked for with --assert".to_owned()),
        Cause::Superseded { by } => Some(format!("its successor {} is delivered", clean(by))),
        Cause::SecretLost => Some("its secret never arrived anywhere".to_owned()),
        Cause::AlreadyMember => Some("they are a member already".to_owned()),
        Cause::Needed => Some("needed by another change".to_owned()),
        Cause::InvitationExpired => Some("the earlier invitation has run out".to_owned()),
        Cause::InvitationVanished => Some("the earlier invitation has vanished".to_owned()),
    }
}

/// What an effect is called. None: it is shown as a field.
fn effect(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::SendsMail => paint(WARN, "sends mail"),
        Effect::ReplacesInvitation => paint(WARN, "the earlier link stops working"),
        Effect::AccessFollows => "no access yet; role and resources follow once accepted".to_owned(),
        Effect::RolesFollow => "the rest of the roles follows once accepted".to_owned(),
        Effect::HubWide => paint(WARN, "concerns their account in every organisation of the platform"),
        Effect::Irreversible => paint(WARN, "can't be undone"),
        Effect::TakesAlong { what } => paint(WARN, format!("with {}", clean(what))),
        Effect::ComesWith { what } => paint(WARN, format!("comes with {}", clean(what))),
        Effect::JoinsEveryTeam => "joins every team".to_owned(),
        Effect::MayLeaveTeams => paint(WARN, "may leave teams: `teams` says in which they stay"),
        Effect::ComesBackAs { team, role } => {
            format!("comes back into {} as {} at first", clean(team), clean(role))
        }
        Effect::DefaultRole { role } => {
            format!("no call takes a role away: overwritten with the default `{}`", clean(role))
        }
        Effect::SlugMayChange => paint(WARN, "its slug may change with it"),
        Effect::MayBill => paint(WARN, "another price"),
        Effect::Allows { .. } | Effect::Touches { .. } | Effect::Contains { .. } => return None,
        Effect::FirstAllows { .. } => "in two steps".to_owned(),
        Effect::MayReEnable => paint(WARN, "may re-enable"),
        Effect::ReEnables => paint(WARN, "re-enables"),
        Effect::MayReadmit => paint(WARN, "may readmit a disabled person"),
        Effect::Seat { change } => match change {
            SeatChange::Billed => paint(WARN, "takes a billed seat"),
            SeatChange::Unbilled => paint(WARN, "frees a billed seat"),
            SeatChange::Unknown => "perhaps another kind of seat".to_owned(),
        },
        Effect::NeedsPlan { plan } => format!("needs the {}", clean(plan)),
        Effect::SecretTo { target } => format!("secret to {}", clean(target)),
    })
}

pub(super) fn push_change(text: &mut String, change: &Change, plan: &OrganizationPlan) {
    let (sign, style) = sign(change.action);
    let mut notes: Vec<String> = change.effects.iter().filter_map(effect).collect();
    notes.extend(cause(&change.cause));
    let address = clean(&change.address);
    let place = plan.places.get(&change.address.to_string());
    let line = format!("  {} {address:<44} {:<26} {}", paint(style, sign), verb(change), notes.join("; "));
    let _ = writeln!(text, "{}", line.trim_end());
    for field in fields(change) {
        push_field(text, &field);
    }
    if let Some(place) = place {
        let _ = writeln!(text, "        {}", paint(DIM, clean(place)));
    }
}

fn push_field(text: &mut String, field: &FieldChange) {
    let FieldChange { name, before, after, gained, lost } = field;
    let shown = |value: &Option<String>| value.as_ref().map_or_else(|| "(empty)".to_owned(), clean);
    let _ = write!(text, "        {name:<12} ");
    if before.is_some() {
        let _ = write!(text, "{}  ->  ", shown(before));
    }
    let _ = write!(text, "{}", shown(after));
    for (sign, style, parts) in [("+", ADD, gained), ("-", REMOVE, lost)] {
        for part in parts.iter().take(PARTS_SHOWN) {
            let _ = write!(text, "   {}", paint(style, format!("{sign}{}", clean(part))));
        }
        let more = parts.len().saturating_sub(PARTS_SHOWN);
        if more > 0 {
            let _ = write!(text, "   {}", paint(style, format!("{sign}{more} more")));
        }
    }
    text.push('\n');
}

/// Holds, the most pressing first. Beyond `unmanaged` of them, people and keys that are none of our business are
/// only counted.
pub(super) fn push_holds(text: &mut String, plan: &OrganizationPlan, unmanaged: Option<usize>) {
    if plan.sealed.holds.is_empty() {
        return;
    }
    let privileged = |hold: &&Hold| matches!(hold.reason, HoldReason::Unmanaged { privileged: true });
    let plain = |hold: &&Hold| matches!(hold.reason, HoldReason::Unmanaged { privileged: false });
    let others = plan.sealed.holds.iter().filter(|hold| !privileged(hold) && !plain(hold));
    let foreign: Vec<&Hold> =
        plan.sealed.holds.iter().filter(privileged).chain(plan.sealed.holds.iter().filter(plain)).collect();
    let shown = unmanaged.unwrap_or(foreign.len()).min(foreign.len());
    let _ = writeln!(text, "  {}", paint(BOLD, "held"));
    for hold in others.chain(foreign[..shown].iter().copied()) {
        let class = match hold.class {
            HoldClass::Blocked => paint(REMOVE, "blocked"),
            HoldClass::Waiting => paint(CHANGE, "waiting"),
            HoldClass::Ignored => paint(DIM, "ignored"),
        };
        let _ = writeln!(text, "    {:<44} {class}: {}", clean(&hold.address), clean(&hold.reason));
    }
    let rest = foreign.len() - shown;
    if rest > 0 {
        let _ = writeln!(text, "    and {rest} more that are not in the file; `rolecall drift` lists them");
    }
    text.push('\n');
}

pub(super) fn push_gaps(text: &mut String, plan: &OrganizationPlan) {
    for gap in &plan.gaps {
        let _ = writeln!(text, "  {} {}: {}", paint(BOLD, "not visible"), clean(&gap.what), clean(&gap.why));
    }
    for (list, completeness) in &plan.completeness {
        match completeness {
            Completeness::Proven => {}
            Completeness::Assumed { why } => {
                let _ = writeln!(text, "  {} {list}: {}", paint(BOLD, "assumed complete"), clean(why));
            }
            Completeness::Broken { why } => {
                // A role that is there already is refused by the platform itself.
                let rests = if list == "roles" { "" } else { ". Nothing that rests on absence is planned" };
                let _ = writeln!(text, "  {} {list}: {}{rests}", paint(REMOVE, "incomplete"), clean(why));
            }
        }
    }
    if !plan.gaps.is_empty() {
        text.push('\n');
    }
}

/// What the last line counts, in its order.
const COUNTED: &[Action] = &[
    Action::Invite,
    Action::Create,
    Action::Enable,
    Action::Replace,
    Action::Disable,
    Action::Contain,
    Action::Withdraw,
    Action::Remove,
    Action::Delete,
];

/// The one line that sums a plan up.
pub(super) fn verdict(plan: &OrganizationPlan) -> String {
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
            let noun = if *action == Action::Withdraw { "invitation" } else { kind.as_str() };
            match count(*kind, *action) {
                0 => {}
                some => counted.push(format!("{} to {action}", plural(some, noun))),
            }
        }
    }
    if counted.is_empty() {
        return format!("{}{holds}. {admins}", paint(BOLD, "Nothing to do"));
    }
    let mails = plan.sealed.changes.iter().map(|change| {
        let first = change.after.as_ref().and_then(Entity::organization).map_or(0, |made| made.invites.len());
        first + usize::from(change.effects.contains(&Effect::SendsMail))
    });
    format!(
        "{}{holds}. {}, {}. {admins}",
        paint(BOLD, counted.join(", ")),
        plural(plan.sealed.mutations.len(), "mutation"),
        plural(mails.sum(), "mail"),
    )
}
