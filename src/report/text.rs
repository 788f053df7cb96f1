//! A plan for people.

use std::fmt::Write as _;

use super::fields::FieldChange;
use super::outline::{Note, Outline, Verdict, name, outline, verdict};
use super::rails::push_rails;
use super::style::{ADD, BOLD, CHANGE, DIM, REMOVE, WARN, called, clean, paint, plural};
use rolecall_model::{Change, Completeness, Hold, HoldClass, HoldReason, OrganizationPlan, Plan, Unread};

/// Unmanaged entities that a plan lists by name; `drift` lists all.
const UNMANAGED_SHOWN: usize = 20;

/// Parts of a set that are listed where it changes; `--format json` has all.
const PARTS_SHOWN: usize = 30;

/// The whole plan.
pub fn plan_text(plan: &Plan) -> String {
    let parts: Vec<String> = plan.organizations.iter().map(organization).chain(unread(plan)).collect();
    parts.join("\n")
}

/// The organisations that aren't in it, and why. None where all are.
pub(super) fn unread(plan: &Plan) -> Option<String> {
    let line = |Unread { provider, organization, why }: &Unread| {
        let name = called(*provider, organization);
        format!("{}   {}: {}\n", paint(BOLD, name), paint(REMOVE, "not planned"), clean(why))
    };
    let lines: String = plan.unread.iter().map(line).collect();
    Some(lines).filter(|lines| !lines.is_empty())
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
    let Verdict { headline, rest } = verdict(plan);
    let _ = writeln!(text, "{}{rest}", paint(BOLD, headline));
    text
}

pub(super) fn header(plan: &OrganizationPlan) -> String {
    let identity = &plan.sealed.identity;
    let name = name(plan);
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

pub(super) fn push_change(text: &mut String, change: &Change, plan: &OrganizationPlan) {
    let Outline { sign, address, verb, notes, fields, place, .. } = outline(change, plan);
    let style = match sign {
        "+" => ADD,
        "-" => REMOVE,
        _ => CHANGE,
    };
    let painted = |note: &Note| if note.warns { paint(WARN, &note.text) } else { note.text.clone() };
    let notes: Vec<String> = notes.iter().map(painted).collect();
    let line = format!("  {} {address:<44} {verb:<26} {}", paint(style, sign), notes.join("; "));
    let _ = writeln!(text, "{}", line.trim_end());
    for field in &fields {
        push_field(text, field);
    }
    if let Some(place) = place {
        let _ = writeln!(text, "        {}", paint(DIM, place));
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
