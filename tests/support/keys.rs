//! The report of keys of an organisation in memory.

use std::collections::BTreeSet;

use rolecall_model::Site;
use rolecall_plan::PlanInput;
use rolecall_plan::keys::{Keys, keys};

use super::rig::{Platform, Rig};

/// Returns the keys as a report has them.
pub fn report<P: Platform>(rig: &Rig<P>) -> Keys {
    let live = rig.read().unwrap();
    let (facts, site, asserted) = (rig.ledger.facts(), Site::host("sandbox"), BTreeSet::new());
    let caller = rolecall_engine::apply::sign_in(rolecall_providers::of(P::NAME), &rig.secrets);
    let input = PlanInput {
        desired: &rig.desired,
        live: &live,
        facts: &facts,
        rules: Rig::<P>::rules(),
        site: &site,
        asserted: &asserted,
        only: None,
        approved: None,
        caller: Some(&caller),
        now: rig.now,
    };
    keys(&input, false)
}
