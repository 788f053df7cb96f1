//! Computes a plan: compares what the files say with what is live, and decides every mutation that apply will
//! send.
//!
//! Planning is pure: it uses no async code, no clock, no environment and no files. All that it knows is in
//! [`PlanInput`].

pub mod access;
mod activity;
mod admins;
mod approve;
mod collection;
mod decision;
mod drift_delta;
mod ended;
mod fleet;
mod gate;
mod guardrails;
pub mod keys;
mod last_in_sync;
mod ledger_updates;
mod organization;
mod origin;
mod privileged;
mod renames;
mod resolve;
mod role_holders;
mod role_names;
mod roles;
mod schedule;
mod seal;
mod seats;
mod select;
mod teams;
mod tolerated;
mod unmatched;
mod users;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use activity::{MaxSilence, activity};
pub use approve::{Approval, ApprovalProgress, Stale, compare, resume};
pub use drift_delta::{DriftDelta, ReportedDrift, Sighting, drift_delta};
pub use ended::near_endings;
pub use fleet::{Fleet, OrganizationName};
pub use keys::{near_rotations, newly_seen_keys, overlap_end, retirement, secret_target, swap};
pub use last_in_sync::{desired_hash, differing};
pub use ledger_updates::{Observed, ledger_updates, newly_listed};
pub use origin::{compare_with_base, unasked};
pub use renames::renamed;
pub use seal::{SealError, seal, verify};
pub use select::{Selection, Unselectable, select};
pub use verify::{Observation, current_entity, in_effect, mutation_in_effect};

use collection::PlannedState;
use gate::Gate;
use role_holders::StayingHolders;
use role_names::Resolved;
use rolecall_model::{
    Activity, Address, Code, Desired, Email, Facts, Finding, Gap, HoldReason, Identity, Kind, Live,
    OrganizationPlan, Permission, Place, Quirk, RemoteId, RoleName, Rules, Scope, Sealed, SignIn, Site,
    UnreadableRow, Warning, list_of,
};
use roles::PlannedRoles;

/// Everything that planning depends on. The same input always gives the same plan.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
    pub desired: &'a Desired,
    pub live: &'a Live,
    pub facts: &'a Facts,
    pub rules: &'a dyn Rules,
    pub site: &'a Site,
    /// Entities to write even if they are in sync (`--assert`).
    pub asserted: &'a BTreeSet<Address>,
    /// Restricts the plan to these changes. Guardrails are checked against the rest.
    pub only: Option<&'a BTreeSet<Address>>,
    /// The seal of the approved plan, if exactly that plan is about to be sent.
    pub approved: Option<&'a str>,
    /// The key that rolecall signs in with, as far as the credential tells.
    pub caller: Option<&'a SignIn>,
    /// The current time, which decides what has expired.
    pub now: Timestamp,
}

impl PlanInput<'_> {
    /// Returns the id of the key that rolecall signs in with: from the credential, or else from `own` in the file.
    fn own_key(&self) -> Option<&RemoteId> {
        self.caller.and_then(|caller| caller.key(self.facts)).or(self.desired.own_key.as_deref())
    }

    /// Returns whether rolecall signs in with this key, or the file says that it does.
    fn is_own_key(&self, id: &RemoteId) -> bool {
        self.own_key() == Some(id) || self.desired.own_key.as_deref() == Some(id)
    }

    /// Returns whether rolecall signs in with a credential of this user.
    fn is_own_user<'id>(&self, email: &Email, id: impl Into<Option<&'id RemoteId>>) -> bool {
        let named = self.desired.own_user.as_ref().is_some_and(|own| own.value == *email);
        let is_caller = |id| self.live.caller.iter().any(|caller| caller.users.contains(id));
        named || id.into().is_some_and(is_caller)
    }

    /// Returns those of the permissions that are privileged by themselves.
    fn privileged_among(&self, permissions: BTreeSet<Permission>) -> BTreeSet<Permission> {
        let is_privileged = |one: &Permission| self.rules.is_privileged(&BTreeSet::from([one.clone()]));
        permissions.into_iter().filter(is_privileged).collect()
    }

    /// Returns whether the user asked with `--assert` to write this entity even if it is in sync.
    fn is_asserted(&self, address: &Address) -> bool {
        if self.asserted.is_empty() {
            return false;
        }
        let addresses = self.with_earlier(address);
        self.asserted.iter().any(|asserted| addresses.iter().any(|address| asserted.covers(address)))
    }

    /// Returns the address of an entity, and the one that it has at the platform, if the file renames it.
    fn with_earlier(&self, address: &Address) -> Vec<Address> {
        std::iter::once(address.clone()).chain(self.live.renamed_from(address)).collect()
    }

    /// Returns whether a user with these roles can administrate the organisation.
    fn is_admin(&self, roles: &BTreeSet<RoleName>) -> bool {
        self.rules.is_admin(self.live, roles)
    }

    /// Returns whether a user with these roles is a member of every team, whatever the file says about teams.
    fn is_in_every_team(&self, roles: &BTreeSet<RoleName>) -> bool {
        self.rules.has(Quirk::AdminsInEveryTeam) && self.is_admin(roles)
    }

    /// Returns whether `these` roles allow everything that `those` roles allow.
    fn covers(&self, these: &BTreeSet<RoleName>, those: &BTreeSet<RoleName>) -> bool {
        self.rules.covers(self.live, these, those)
    }
}

/// A plan, with the findings that were made on the way: warnings, and the errors of entries that are held.
#[derive(Debug)]
pub struct Planned {
    pub plan: OrganizationPlan,
    pub findings: Vec<Finding>,
}

/// Plans one organisation.
///
/// # Errors
///
/// Returns all findings at once, warnings included, if at least one is an error that doesn't belong to a single
/// entry. An entry that has an error is held, and the others are planned.
pub fn plan(input: &PlanInput<'_>) -> Result<Planned, Vec<Finding>> {
    let mut facts = input.facts.clone();
    renames::all(input.desired, input.live).rename_in_facts(&mut facts);
    let live = renamed(input.desired, input.live);
    let input = &PlanInput { live: &live, ..*input };
    let facts = ledger_updates::facts_after_read(facts, input.live, input.rules);
    let facts = keys::facts_after_sign_in(facts, input.live, input.caller);
    let Resolved { mut desired, findings, of_users } = role_names::resolve_role_names(input.desired, input.live);
    let tolerated = tolerated::tolerate(&mut desired, input.live, input.rules, input.now);
    let asked = input.desired;
    let input = &PlanInput { facts: &facts, desired: &desired, ..*input };
    let PlanInput { desired, live, .. } = *input;
    if let Some(wrong) = wrong_organization(desired, live) {
        return Err(vec![wrong]);
    }
    let mut staying = StayingHolders::new();
    let (mut gate, planned_roles) = loop {
        let (gate, planned_roles) = entries(input, &of_users, &staying);
        let more = role_holders::staying_holders(input, &gate);
        if more.is_empty() {
            break (gate, planned_roles);
        }
        // Each of these updates is held from now on, so that this ends.
        staying.extend(more);
    };
    let of_own = keys::check_own(input).into_iter().chain(users::check_own(input));
    gate.findings.splice(0..0, findings.into_iter().chain(of_own));
    gate.holds.extend(tolerated);
    hold_unreadable_rows(input, &planned_roles, &mut gate);
    gate.findings.extend(unmatched::unmatched(input));
    if let Some(only) = input.only {
        gate.changes.retain(|change| only.contains(&change.address));
    }
    seats::hold_without_seat(input, &mut gate);
    let entry_errors = std::mem::take(&mut gate.entry_errors);
    let (errors, warnings): (Vec<_>, Vec<_>) = gate.findings.drain(..).partition(Finding::is_error);
    if !errors.is_empty() {
        return Err(errors.into_iter().chain(entry_errors).chain(warnings).collect());
    }
    let mut findings: Vec<Finding> = entry_errors.into_iter().chain(warnings).collect();
    findings.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
    ended::mark(input, &mut gate.changes);
    let admins = admins::count(input, &gate.changes);
    let refusals = guardrails::find_refusals(input, &gate.changes, &admins, &planned_roles);
    gate.changes.sort_by(|a, b| a.address.cmp(&b.address));
    gate.holds.sort_by(|a, b| (a.class, &a.address).cmp(&(b.class, &b.address)));
    gate.holds.dedup();
    schedule::add_first_step_effects(&mut gate.changes, &planned_roles);
    let mutations = schedule::mutations(input, &gate.changes, &admins, &planned_roles)
        .map_err(|circle| vec![dependency_cycle(input, &circle)])?;
    let access::Meaning { access, privileges } = access::meaning(input, &gate.changes);
    let privileged = privileged::among(input, &gate.changes, &planned_roles, privileges);
    let addresses = gate.changes.iter().map(|change| &change.address);
    let addresses = addresses.chain(gate.holds.iter().map(|hold| &hold.address));
    let notes =
        addresses.filter_map(|address| Some((address.clone(), asked.note_of(address)?.to_owned()))).collect();
    gate.place_holds();
    let sealed = Sealed {
        identity: Identity {
            provider: desired.provider,
            organization: live.organization.clone(),
            site: input.site.clone(),
        },
        changes: gate.changes,
        mutations,
        holds: gate.holds,
    };
    let seal = seal(&sealed);
    let (refusals, overrides) = guardrails::apply_exceptions(input, refusals, &seal, &admins);
    let completeness = live.completeness();
    let last_in_sync = last_in_sync::last_in_sync(&facts, asked, &sealed, &completeness);
    let overdue = sealed.changes.iter().filter_map(|change| keys::overdue(input, change)).collect();
    let plan = OrganizationPlan {
        seal,
        sealed,
        completeness,
        gaps: gaps(input),
        refusals,
        overrides,
        privileged,
        access,
        warnings: findings.iter().filter(|finding| !finding.is_error()).map(Warning::from).collect(),
        not_selected: 0,
        places: gate.places,
        usable_admins_after: admins.after,
        requests: live.requests,
        inventory: None,
        comparison: None,
        together: None,
        last_in_sync,
        endings: Vec::new(),
        overdue,
        activity: Activity::default(),
        notes,
    };
    Ok(Planned { plan, findings })
}

/// Plans everything that the file lists or manages. `unknown_roles` are the errors in the roles of users, and `staying`
/// the updates of roles that must not be made.
fn entries<'a>(
    input: &'a PlanInput<'a>,
    unknown_roles: &BTreeMap<Place, Vec<Finding>>,
    staying: &StayingHolders,
) -> (Gate<'a>, PlannedRoles) {
    let mut gate = Gate::new(input);
    let mut planned = PlannedState::default();
    if organization::plan_organization(input, &mut gate) {
        planned.teams = teams::plan_teams(input, &mut gate);
        planned.roles = roles::plan_roles(input, staying, &mut gate);
        users::plan_users(input, &planned, unknown_roles, &mut gate);
        roles::create_containment_role(&mut planned.roles, &mut gate);
        roles::plan_removals(input, &planned.roles, &mut gate);
        keys::plan_keys(input, &mut gate);
        roles::add_allowed_effects(&planned.roles, &mut gate);
    }
    (gate, planned.roles)
}

/// Returns the finding of an internal error: mutations that wait for each other.
fn dependency_cycle(input: &PlanInput<'_>, circle: &BTreeSet<Address>) -> Finding {
    let addresses: Vec<String> = circle.iter().map(ToString::to_string).collect();
    let message = format!(
        "rolecall can't order these changes, because each waits for another one: {}.",
        list_of(&addresses, "and")
    );
    Finding::error(Code::DependencyCycle, input.desired.place.clone(), message).hint(
        "This is an error of rolecall. Report it with these entries. Until then, leave one of them as it is.",
    )
}

/// Holds every row that can't be read. What the file says about such an entity isn't planned. If somebody has privileged
/// access there, it needs attention, because no entry of a file can say that it is right.
fn hold_unreadable_rows(input: &PlanInput<'_>, planned_roles: &PlannedRoles, gate: &mut Gate<'_>) {
    if input.live.unreadable.is_empty() {
        return;
    }
    let Desired { manage, users, keys, roles, teams, .. } = input.desired;
    let roles = roles.iter().flat_map(|role| std::iter::once(&role.name).chain(role.previously.keys()));
    let teams = teams.iter().flat_map(|team| std::iter::once(&team.name).chain(team.previously.keys()));
    let users = users.iter().map(|user| Address::user(&user.email));
    let keys = keys.iter().map(|key| Address::key(&key.name));
    let listed: BTreeSet<Address> =
        users.chain(keys).chain(roles.map(Address::role)).chain(teams.map(Address::team)).collect();
    for UnreadableRow { address, why, roles: held } in &input.live.unreadable {
        let is_managed = match address.kind {
            Kind::User | Kind::Invitation => manage.users == Scope::All,
            Kind::Key => manage.keys == Scope::All,
            Kind::Role => manage.roles == Scope::All,
            Kind::Team => manage.teams == Scope::All,
            Kind::Organization => true,
        };
        let covered = is_managed || listed.contains(&Address { id: None, ..address.listed() });
        let is_privileged = !held.is_empty() && planned_roles.is_privileged_before(input, held);
        let covered = covered || is_privileged && !gate.is_acknowledged(address);
        gate.hold(address.clone(), HoldReason::UnreadableRow { why: why.clone(), covered });
    }
}

/// Returns an error if the organisation that was read isn't the one that the file describes.
pub fn wrong_organization(desired: &Desired, live: &Live) -> Option<Finding> {
    let read = &live.organization;
    if *read == *desired.organization {
        return None;
    }
    let place = desired.organization.place.clone();
    let message = format!(
        "The credential belongs to the organisation {read}, but the file describes {}.",
        *desired.organization
    );
    let finding = Finding::error(Code::WrongOrganization, place, message);
    Some(finding.hint("Nothing was sent. Check the endpoint and the credential."))
}

fn gaps(input: &PlanInput<'_>) -> Vec<Gap> {
    let mut gaps = input.live.gaps.clone();
    if !input.facts.ledger_found {
        // Drift runs leave lines, too.
        let lacks = match input.facts.ledger_since {
            None => "There is none yet. Without it",
            Some(_) => "It has drift runs and no apply yet. Without one",
        };
        let why = format!(
            "{lacks} rolecall doesn't know what was sent before: invitations, disabled users, keys that were not delivered."
        );
        gaps.push(Gap::new("the ledger", why));
    }
    gaps
}
