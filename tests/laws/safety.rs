//! What law 5 promises of every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use rolecall_model::OrganizationPlan;

use crate::lawful::{Lawful, Wish};
use crate::support::rig::Rig;

/// What must hold between the start and the end of a plan.
pub struct Safety {
    /// Fewer admins may never be left.
    floor: usize,
    /// What both ends allow, and so every moment between them.
    kept: BTreeMap<String, BTreeSet<String>>,
}

/// The first thing that went wrong.
pub type Breach = Arc<Mutex<Option<String>>>;

impl Safety {
    pub fn of<P: Lawful>(world: &P::World, wish: &Wish, plan: &OrganizationPlan) -> Self {
        let mut undisturbed = P::rig(world.clone(), wish);
        undisturbed.apply_plan(plan).unwrap();
        let (start, end) = (P::access(world), P::access(&undisturbed.world()));
        let nothing = BTreeSet::new();
        let kept = start
            .iter()
            .map(|(who, had)| (who.clone(), had.intersection(end.get(who).unwrap_or(&nothing)).cloned().collect()))
            .collect();
        Self { floor: wish.min_admins.min(P::usable_admins(world)), kept }
    }

    fn breach<P: Lawful>(&self, world: &P::World) -> Option<String> {
        let Self { floor, kept } = self;
        let admins = P::usable_admins(world);
        if admins < *floor {
            return Some(format!("{admins} admins of {floor}"));
        }
        if !P::lets_us_in(world) {
            return Some("locked out".to_owned());
        }
        let (now, nothing) = (P::access(world), BTreeSet::new());
        kept.iter().find_map(|(who, kept)| {
            let lost = kept.difference(now.get(who).unwrap_or(&nothing)).next()?;
            Some(format!("{who} lost {lost}, which was to stay"))
        })
    }

    /// Looks after each request.
    pub fn watch<P: Lawful>(self: &Arc<Self>, rig: &Rig<P>) -> Breach {
        let (safety, breach) = (Arc::clone(self), Breach::default());
        let found = Arc::clone(&breach);
        rig.wire.watch(Arc::new(move |world: &P::World| {
            if let Some(problem) = safety.breach::<P>(world) {
                found.lock().unwrap().get_or_insert(problem);
            }
        }));
        breach
    }
}
