//! Decides everything that apply will do, and does none of it.
//!
//! Pure: no async, no clock, no environment, no files. Whatever it needs to know is in `PlanInput`.

mod admins;
mod approve;
mod assignable;
mod draft;
mod effect;
mod guardrails;
mod keys;
mod merge;
mod movers;
mod news;
mod observe;
mod order;
mod organization;
mod privileged;
mod relies;
mod resolve;
mod roles;
mod seal;
mod select;
mod teams;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use approve::{Approval, Stale, compare};
pub use effect::{Effectiveness, in_effect, mutation_in_effect, stands_as};
pub use keys::retirement;
pub use news::{News, Told, news};
pub use observe::{Observed, observe};
pub use seal::{SealError, seal, verify};
pub use select::{Selection, Unselectable, select};

use draft::Draft;
use rolecall_model::{
    Address, Code, Completeness, Desired, Facts, Finding, Gap, Identity, Live, OrganizationPlan, RemoteId,
    RoleName, Rules, Sealed, Site,
};
use roles::RoleBook;

/// All that planning may know. Same input, same plan.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
    pub desired: &'a Desired,
    pub live: &'a Live,
    pub facts: &'a Facts,
    pub rules: &'a dyn Rules,
    pub site: &'a Site,
    /// Entities to write even where nothing is seen to differ.
    pub asserted: &'a BTreeSet<Address>,
    /// Plan only these changes. Guardrails are judged on what is left.
    pub only: Option<&'a BTreeSet<Address>>,
    /// The seal of the plan that was approved, where what would be sent is just that.
    pub approved: Option<&'a str>,
    /// The key that we call with, where the credential tells.
    pub caller: Option<&'a RemoteId>,
    /// For expiries: a key can't be minted into the past.
    pub now: Timestamp,
}

impl PlanInput<'_> {
    /// The key that we call with, as far as it is known.
    fn own_key(&self) -> Option<&RemoteId> {
        self.caller.or(self.desired.own_key.as_deref())
    }

    /// Was it asked for by its address, whatever is seen?
    fn is_asserted(&self, address: &Address) -> bool {
        self.asserted.iter().any(|asserted| asserted.covers(address))
    }

    /// Can whoever has these roles administrate the organisation?
    fn is_admin(&self, roles: &BTreeSet<RoleName>) -> bool {
        self.rules.is_admin(self.live, roles)
    }

    /// Is whoever has these roles in every team, whatever is said of teams?
    fn is_everywhere(&self, roles: &BTreeSet<RoleName>) -> bool {
        self.rules.admins_are_in_every_team() && self.is_admin(roles)
    }

    /// Do these roles allow all that those do?
    fn covers(&self, these: &BTreeSet<RoleName>, those: &BTreeSet<RoleName>) -> bool {
        self.rules.covers(self.live, these, those)
    }
}

/// A plan, and what its reader should be warned of.
#[derive(Debug)]
pub struct Planned {
    pub plan: OrganizationPlan,
    pub warnings: Vec<Finding>,
}

/// Plans one organisation. The findings that make it impossible come back all at once.
pub fn plan(input: &PlanInput<'_>) -> Result<Planned, Vec<Finding>> {
    let facts = observe::updated(input.facts, input.live, input.rules);
    let mut unknown = Vec::new();
    let desired = assignable::resolved(input.desired, input.live, &mut unknown);
    let input = &PlanInput { facts: &facts, desired: &desired, ..*input };
    let mut draft = Draft::new(input);
    draft.findings = unknown;
    let PlanInput { desired, live, .. } = *input;
    if *desired.organization != live.organization {
        return Err(vec![wrong_organization(input)]);
    }
    keys::check_own(input, &mut draft);
    users::check_own(input, &mut draft);
    let mut book = RoleBook::default();
    if organization::plan_itself(input, &mut draft) {
        teams::plan_teams(input, &mut draft);
        book = roles::plan_roles(input, &mut draft);
        roles::plan_holders(input, &mut book, &mut draft);
        users::plan_users(input, &mut book, &mut draft);
        roles::plan_containment(input, &mut draft);
        roles::plan_removals(input, &book, &mut draft);
        keys::plan_keys(input, &mut draft);
        roles::say_what_is_allowed(&book, &mut draft);
    }
    draft.findings.extend(guardrails::unmatched(input));
    if let Some(only) = input.only {
        draft.changes.retain(|change| only.contains(&change.address));
    }
    let (errors, mut warnings): (Vec<_>, Vec<_>) = draft.findings.drain(..).partition(Finding::is_error);
    if !errors.is_empty() {
        return Err(errors.into_iter().chain(warnings).collect());
    }
    warnings.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
    let admins = admins::count(input, &draft.changes);
    let refusals = guardrails::judge(input, &draft.changes, &admins, &book);
    draft.changes.sort_by(|a, b| a.address.cmp(&b.address));
    draft.holds.sort_by(|a, b| (a.class, &a.address).cmp(&(b.class, &b.address)));
    draft.holds.dedup();
    movers::say_first_steps(&mut draft.changes, &book);
    let mutations = order::mutations(input, &draft.changes, &admins, &book);
    let privileged = privileged::among(input, &draft.changes, &book);
    let sealed = Sealed {
        identity: Identity {
            provider: desired.provider,
            organization: live.organization.clone(),
            site: input.site.clone(),
        },
        changes: draft.changes,
        mutations,
        holds: draft.holds,
    };
    let seal = seal(&sealed);
    let (refusals, lifted) = guardrails::lift(input, refusals, &seal, &admins);
    let plan = OrganizationPlan {
        seal,
        sealed,
        completeness: completeness(live),
        gaps: gaps(input),
        refusals,
        lifted,
        privileged,
        places: draft.places,
        usable_admins_after: admins.after,
        requests: live.requests,
        inventory: None,
    };
    Ok(Planned { plan, warnings })
}

fn wrong_organization(input: &PlanInput<'_>) -> Finding {
    let PlanInput { desired, live, .. } = *input;
    Finding::error(
        Code::WrongOrganization,
        desired.organization.place.clone(),
        format!(
            "the credential reaches the organisation {}, the file is for {}",
            live.organization, *desired.organization
        ),
    )
    .hint("nothing was sent; check the endpoint and the credential")
}

fn completeness(live: &Live) -> BTreeMap<String, Completeness> {
    let Live { teams, roles, users, invitations, keys, .. } = live;
    let lists = [
        ("teams", teams.as_ref().map(|list| &list.completeness)),
        ("roles", roles.as_ref().map(|list| &list.completeness)),
        ("users", Some(&users.completeness)),
        ("invitations", invitations.as_ref().map(|list| &list.completeness)),
        ("keys", keys.as_ref().map(|list| &list.completeness)),
    ];
    lists.into_iter().filter_map(|(list, completeness)| Some((list.to_owned(), completeness?.clone()))).collect()
}

fn gaps(input: &PlanInput<'_>) -> Vec<Gap> {
    let mut gaps = input.live.gaps.clone();
    if !input.facts.ledger_found {
        gaps.push(Gap {
            what: "the ledger".to_owned(),
            why: "there is none, so what was sent before and can't be seen is unknown: invitations, disabled people, keys not yet delivered".to_owned(),
        });
    }
    gaps
}
