//! The promise of law 5 about every moment of an apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use rolecall_model::OrganizationPlan;

use crate::lawful::{FileBody, Lawful};
use crate::support::rig::Rig;

/// Conditions that hold from the start to the end of a plan.
pub struct Safety {
    /// The minimum number of usable admins.
    floor: usize,
    /// The access that users have both at the start and at the end.
    kept: BTreeMap<String, BTreeSet<String>>,
}

/// The first violation, if there was one.
pub type Breach = Arc<Mutex<Option<String>>>;

impl Safety {
    pub fn of<P: Lawful>(world: &P::World, file: &FileBody, plan: &OrganizationPlan) -> Self {
        let mut undisturbed = P::rig(world.clone(), file);
        undisturbed.apply_plan(plan).unwrap();
        let (start, end) = (P::access(world), P::access(&undisturbed.world()));
        let nothing = BTreeSet::new();
        let kept = start
            .iter()
            .map(|(who, had)| (who.clone(), had.intersection(end.get(who).unwrap_or(&nothing)).cloned().collect()))
            .collect();
        Self { floor: file.min_admins.min(P::usable_admins(world)), kept }
    }

    fn breach<P: Lawful>(&self, world: &P::World) -> Option<String> {
        let Self { floor, kept } = self;
        let admins = P::usable_admins(world);
        if admins < *floor {
            return Some(format!("{admins} admins of {floor}"));
        }
        if !P::own_access_works(world) {
            return Some("locked out".to_owned());
        }
        let (now, nothing) = (P::access(world), BTreeSet::new());
        kept.iter().find_map(|(who, kept)| {
            let lost = kept.difference(now.get(who).unwrap_or(&nothing)).next()?;
            Some(format!("{who} lost {lost}, which was to stay"))
        })
    }

    /// Checks the conditions after each request.
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
