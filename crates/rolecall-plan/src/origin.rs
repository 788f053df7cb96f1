//! Finds out where each change of a plan comes from, by comparing it with the plan that the base gives against the same
//! read.
//!
//! For example, the base gives Jane the role `Viewer`, and live has `Admin`. Both plans take `Admin` from her, so her
//! change has drifted: this pull request doesn't ask for it. If the pull request gives her `Developer`, the plans differ,
//! and her change is asked for here. If it only changes her phone number, her change is asked for here and also takes
//! back a role that has drifted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use rolecall_model::{
    Action, Address, Cause, Change, Code, Comparison, DeletedBy, Deletion, Desired, Entity, Finding, Hold,
    HoldClass, HoldReason, OrganizationPlan, Origin, OriginKind, Place, Renames, list_of,
};

/// Compares a plan with that of the base. Without a plan of the base, the base doesn't describe the organisation, and
/// everything is asked for. The lines and the deletions are left empty.
pub fn compare_with_base(plan: &OrganizationPlan, base: Option<&OrganizationPlan>, name: &str) -> Comparison {
    // What this plan renames has its earlier name in the base, and so has whoever gets it there.
    let renames = Renames::of_plan(plan);
    let renamed = base.filter(|_| !renames.is_empty()).cloned().map(|mut base| {
        renames.rename_in_plan(&mut base);
        base
    });
    let base = renamed.as_ref().or(base);
    let changes = plan.sealed.changes.iter().map(|change| {
        let earlier = change.renamed_from();
        let wished = base.and_then(|base| base.change(&change.address).or_else(|| base.change(&earlier?)));
        (change.address.clone(), of_change(change, wished))
    });
    let earlier = base.map(|base| reasons(&base.sealed.holds)).unwrap_or_default();
    let holds = reasons(&plan.sealed.holds).into_iter().filter_map(|(address, holds)| {
        let is = of_holds(&holds, earlier.get(address).map(Vec::as_slice).unwrap_or_default())?;
        Some((address.clone(), is))
    });
    Comparison {
        base: name.to_owned(),
        changes: changes.collect(),
        holds: holds.collect(),
        ..Comparison::default()
    }
}

fn reasons(holds: &[Hold]) -> BTreeMap<&Address, Vec<&Hold>> {
    let mut found: BTreeMap<&Address, Vec<&Hold>> = BTreeMap::new();
    for hold in holds {
        found.entry(&hold.address).or_default().push(hold);
    }
    found
}

/// Returns the origin of a change. `wished`: the change of the same entity that the base asks for.
fn of_change(change: &Change, wished: Option<&Change>) -> Origin {
    let same = wished.filter(|wished| change.asks_for_the_same(wished));
    let is = match &change.cause {
        Cause::Ended { .. } | Cause::LeftDirectory => {
            if same.is_some() {
                OriginKind::Expired
            } else {
                OriginKind::Asked
            }
        }
        _ if change.is_leftover() => OriginKind::StillToDo,
        Cause::NeededByAnother => OriginKind::NeededByAnother,
        Cause::InvitationExpired if same.is_some() => OriginKind::Expired,
        // Somebody asked on the command line.
        Cause::Asserted => OriginKind::Asked,
        _ if same.is_some() => OriginKind::Drifted,
        _ => OriginKind::Asked,
    };
    let drifted = wished.filter(|_| is == OriginKind::Asked).map(|wished| drifted_fields(change, wished));
    Origin { is, lines: Vec::new(), drifted: drifted.unwrap_or_default(), reindented: false }
}

/// Returns the fields of which live has something that neither the change nor the base asks for.
fn drifted_fields(change: &Change, wished: &Change) -> BTreeSet<String> {
    let (Some(live), Some(after), Some(wished)) =
        (fields(change.before.as_ref()), fields(change.after.as_ref()), fields(wished.after.as_ref()))
    else {
        return BTreeSet::new();
    };
    let of = |values: &Map<String, Value>, name: &String| values.get(name).cloned().unwrap_or_default();
    // Of the fields that the API doesn't always show, only this one has a value that says so.
    let is_read = |name: &&String| name.as_str() != "enabled" || live.get(*name).is_some_and(Value::is_boolean);
    let names = after
        .keys()
        .filter(is_read)
        .filter(|name| has_drifted(&of(&live, name), &of(&after, name), &of(&wished, name)));
    names.cloned().collect()
}

/// Returns whether a part of a live value is as neither of the other two has it. A list counts by its items: if a role
/// was given by hand, and a pull request gives another one, the first has drifted.
fn has_drifted(live: &Value, after: &Value, wished: &Value) -> bool {
    match (live, after, wished) {
        (Value::Object(live), Value::Object(after), Value::Object(wished)) => {
            let names: BTreeSet<&String> = live.keys().chain(after.keys()).chain(wished.keys()).collect();
            let of = |values: &Map<String, Value>, name: &String| values.get(name).cloned().unwrap_or_default();
            names.into_iter().any(|name| has_drifted(&of(live, name), &of(after, name), &of(wished, name)))
        }
        (Value::Array(live), Value::Array(after), Value::Array(wished)) => {
            let items = live.iter().chain(after).chain(wished);
            let mut items = items.map(|item| [live, after, wished].map(|list| list.contains(item)));
            items.any(|[is, becomes, was_to_be]| is != becomes && is != was_to_be)
        }
        _ => live != after && live != wished,
    }
}

/// Returns the fields of an entity by the names that they have in a plan.
fn fields(entity: Option<&Entity>) -> Option<Map<String, Value>> {
    match serde_json::to_value(entity?).ok()? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// Returns the origin of what is skipped at one address. `None` if all of it was ignored before, too.
fn of_holds(holds: &[&Hold], earlier: &[&Hold]) -> Option<OriginKind> {
    if !holds.iter().all(|hold| earlier.iter().any(|earlier| earlier.reason == hold.reason)) {
        return Some(OriginKind::Asked);
    }
    if holds.iter().any(|hold| matches!(hold.reason, HoldReason::InvitationExpired { .. })) {
        return Some(OriginKind::Expired);
    }
    match holds.iter().map(|hold| hold.class).min()? {
        HoldClass::Blocked => Some(OriginKind::Drifted),
        HoldClass::Waiting => Some(OriginKind::StillToDo),
        HoldClass::Ignored => None,
    }
}

/// Returns a finding for each part of a plan that a pull request has not asked for: a change that has drifted, and entries
/// that are gone although nobody removed each of them.
pub fn unasked(plan: &OrganizationPlan, desired: &Desired) -> Vec<Finding> {
    let Some(Comparison { base, unplanned, changes, holds: _, deletions }) = &plan.comparison else {
        return Vec::new();
    };
    if let Some(why) = unplanned {
        let message =
            format!("Nobody can tell which changes are asked for here, because {base} can't be planned: {why}");
        return vec![
            Finding::warning(Code::NotAskedFor, desired.place.clone(), message)
                .hint("Mend the base first, or plan without `--require-asked` and review every change."),
        ];
    }
    let mut findings = Vec::new();
    for (address, origin) in changes {
        let action = match plan.change(address).map(|change| change.action) {
            Some(Action::RemoveAccess) => "remove all access of".to_owned(),
            Some(action) => action.to_string(),
            None => continue,
        };
        let message = if !origin.is.is_due() {
            format!(
                "The plan would {action} {address}. That isn't asked for here: {base} asks for the same, and live is otherwise."
            )
        } else if origin.reindented {
            let message = format!(
                "The plan would {action} {address}, and only because the indentation of its lines differs."
            );
            let place = origin.lines.iter().find(|line| line.added);
            let place = place.map(|line| Place { line: line.line, ..Place::start_of(line.file.as_str()) });
            findings.push(
                Finding::warning(Code::NotAskedFor, place.unwrap_or_else(|| desired.place.clone()), message).hint(
                    "Restore the indentation. If the entry is meant as it is now, plan without `--require-asked`.",
                ),
            );
            continue;
        } else if !origin.drifted.is_empty() {
            let fields: Vec<&str> = origin.drifted.iter().map(String::as_str).collect();
            let fields = list_of(&fields, "and");
            format!(
                "{address} is changed here, and the plan would also take back what isn't as {base} asks for: {fields}."
            )
        } else {
            continue;
        };
        findings.push(Finding::warning(Code::NotAskedFor, desired.place_of(address).clone(), message).hint(
            "Apply the base first, or adopt what is live with `rolecall pull`. Or plan without `--require-asked`.",
        ));
    }
    findings.extend(implicit_deletions(deletions, &desired.place));
    findings
}

/// Returns a finding for each edit by which entries are gone that nobody removed one by one.
fn implicit_deletions(deletions: &[Deletion], file: &Place) -> Vec<Finding> {
    let mut by_section: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut findings = Vec::new();
    for Deletion { address, by, lines: _ } in deletions {
        match by {
            DeletedBy::Section { section } => by_section.entry(section).or_default().push(address.to_string()),
            DeletedBy::Moved { file: moved_to, line } => {
                let place = Place { line: *line, ..Place::start_of(moved_to.as_str()) };
                let message = format!("The lines of {address} are still here, and no longer mean this entry.");
                findings.push(
                    Finding::warning(Code::ImplicitDeletion, place, message).hint(
                        "Check the indentation, and the lines above. To remove the entry, delete its lines.",
                    ),
                );
            }
            DeletedBy::Merge => {
                let message = format!("{address} was lost in a merge: no other commit removes its entry.");
                findings.push(
                    Finding::warning(Code::ImplicitDeletion, file.clone(), message)
                        .hint("Put the entry back. To remove it, delete its lines in a commit of its own."),
                );
            }
            DeletedBy::Entry | DeletedBy::Renamed { .. } => {}
        }
    }
    for (section, mut addresses) in by_section {
        let count = addresses.len();
        addresses.truncate(5);
        let names: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let more = if count > names.len() { format!(" and {} more", count - names.len()) } else { String::new() };
        let is_list = addresses != [Address::organization().to_string()];
        let listed = if more.is_empty() { list_of(&names, "and") } else { names.join(", ") };
        let with_it = if is_list { format!(", and with it {listed}{more}") } else { String::new() };
        let message = match section {
            "include" => format!("The file no longer includes all that it did{with_it}."),
            section => format!("The field `{section}` is gone from the file{with_it}."),
        };
        let hint = if is_list {
            "Put it back. To remove its entries on purpose, keep them, each with `absent: true`."
        } else {
            "Put it back. If it is meant to go, plan without `--require-asked`."
        };
        findings.push(Finding::warning(Code::ImplicitDeletion, file.clone(), message).hint(hint));
    }
    findings
}
