//! What the platform tells of a credential is what an apply then meets, on every platform, with any part of what a
//! credential can have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rolecall_model::Outcome;
use rolecall_plan::Planned;
use rolecall_providers::Permitted;
use rolecall_sandbox::paradime::{AuthRefusal, Capability};
use rolecall_sandbox::rapidapi::{MutationContext, OWN_EMAIL, Refusal};

use crate::lawful::{FileBody, Lawful};
use crate::support::{bitpanda::Custody, hive::Console, paradime::Workspace, rapidapi::Hub};
use crate::{Law, config};

/// A platform whose credential can have less than everything.
trait Limited: Lawful {
    /// Takes a part of what rolecall's credential may do. Each bit of `choice` decides on one part.
    fn limit(world: &mut Self::World, choice: u8);
    /// Returns whether a message is the platform's refusal of the credential.
    fn is_denial(message: &str) -> bool;
}

fn bit(choice: u8, index: u8) -> bool {
    choice >> index & 1 == 1
}

impl Limited for Console {
    fn limit(world: &mut Self::World, choice: u8) {
        let lacks = [
            ("member:modify", bit(choice, 0)),
            ("accessToken:modify", bit(choice, 1) && bit(choice, 2)),
            ("project:describe", bit(choice, 3) && bit(choice, 4)),
            ("member:describe", bit(choice, 5) && bit(choice, 6) && bit(choice, 7)),
        ];
        for token in world.tokens.iter_mut().filter(|token| token.title == "rolecall") {
            token.permissions.retain(|held| !lacks.contains(&(held.as_str(), true)));
        }
    }

    fn is_denial(message: &str) -> bool {
        message.contains("Missing permission")
    }
}

impl Limited for Custody {
    fn limit(world: &mut Self::World, choice: u8) {
        for key in world.keys.iter_mut().filter(|key| key.name == "rolecall") {
            key.enabled = bit(choice, 0) || bit(choice, 1);
            if !bit(choice, 2) && !bit(choice, 3) {
                key.roles = ["CLUSTER_OPS".to_owned()].into();
            }
        }
    }

    fn is_denial(message: &str) -> bool {
        message.contains("no ADMIN")
    }
}

impl Limited for Workspace {
    fn limit(world: &mut Self::World, choice: u8) {
        let all = [Capability::UserManagementAdmin, Capability::UserMetadataViewer, Capability::AuditLogsViewer];
        let held = all.iter().zip(0..).filter(|(_, index)| bit(choice, *index));
        let held: BTreeSet<Capability> = held.map(|(capability, _)| *capability).collect();
        for credential in &mut world.credentials {
            credential.capabilities.clone_from(&held);
        }
        world.switches.auth_refusal = match choice >> 4 & 3 {
            0 => AuthRefusal::Http401,
            1 => AuthRefusal::Http403,
            _ => AuthRefusal::Errors,
        };
    }

    fn is_denial(message: &str) -> bool {
        message.contains("lacks the capability")
    }
}

impl Limited for Hub {
    fn limit(world: &mut Self::World, choice: u8) {
        let own = world.user(OWN_EMAIL).unwrap().id;
        let levels = ["USER_ORGANIZATION", "USER_ENVIRONMENT"];
        for (level, index) in levels.iter().zip(0..) {
            let roles: Vec<u64> =
                world.roles.iter().filter(|role| role.level == *level).map(|role| role.id).collect();
            if !bit(choice, index) {
                world.assignments.retain(|row| row.entity != own || !roles.contains(&row.role));
            }
        }
        world.switches.mutation_context = match choice >> 2 & 3 {
            0 => MutationContext::Personal,
            1 => MutationContext::Team,
            _ => MutationContext::Any,
        };
        world.switches.environment_admin_mutates_anywhere = bit(choice, 4);
        // Where the hub answers null, a step doesn't tell why.
        world.switches.refusal = Refusal::Errors;
    }

    fn is_denial(message: &str) -> bool {
        message.contains("this needs") || message.contains("mutations need")
    }
}

/// The number of answers of each kind.
type Told = BTreeMap<&'static str, usize>;

fn what_is_told_is_what_an_apply_meets<P: Limited>(
    mut world: P::World,
    file: &FileBody,
    choice: u8,
    counted: &Mutex<Told>,
) -> Law {
    P::limit(&mut world, choice);
    let mut rig = P::rig(world, file);
    // Without these, `plan` says that it can't read.
    let Ok(live) = rig.read() else { return Ok(()) };
    let before = rig.world().clone();
    let answered = rig.permissions(&live);
    prop_assert_eq!(&*rig.world(), &before, "asking changed something");
    // Entries with an error are left out.
    let Ok(Planned { plan, .. }) = rig.planned(&live, &BTreeSet::new(), None) else { return Ok(()) };
    if !plan.refusals.is_empty() {
        return Ok(());
    }
    for mutation in &plan.sealed.mutations {
        let covered = answered.iter().any(|(permission, _)| permission.operations.contains(&&*mutation.operation));
        prop_assert!(covered, "nobody asked about {}", mutation.operation);
    }
    let report = rig.apply_plan(&plan).unwrap();
    for (permission, permitted) in answered {
        let sent = report.steps.iter().filter(|step| step.outcome != Outcome::Skipped);
        let needing = sent.filter(|step| permission.operations.contains(&&*step.operation));
        let messages: Vec<&str> = needing.clone().filter_map(|step| step.message.as_deref()).collect();
        let denied = messages.iter().any(|message| P::is_denial(message));
        let (told, right) = match permitted {
            Permitted::Yes(_) => ("yes", !denied),
            Permitted::No(_) => ("no", needing.clone().next().is_none() || denied),
            Permitted::Unknown(_) => ("unknown", true),
        };
        *counted.lock().unwrap().entry(told).or_default() += 1;
        prop_assert!(right, "{permitted:?} for {}, and then {messages:#?}", permission.name);
    }
    Ok(())
}

fn holds_on<P: Limited>() -> Told {
    let (told, mut runner) = (Mutex::new(Told::new()), TestRunner::new(config()));
    let cases = (P::worlds(false), P::files(), any::<u8>());
    let law = |(world, file, choice)| what_is_told_is_what_an_apply_meets::<P>(world, &file, choice, &told);
    runner.run(&cases, law).unwrap_or_else(|why| panic!("{why}"));
    told.into_inner().unwrap()
}

#[expect(clippy::print_stdout, reason = "docs/check-a-credential.md has these numbers")]
fn has(told: &Told, answers: &[&str]) {
    println!("{told:?}");
    assert!(answers.iter().all(|answer| told.contains_key(answer)), "{told:?}");
}

#[test]
fn hive_tells() {
    has(&holds_on::<Console>(), &["yes", "no"]);
}

/// A credential with less than everything can't read, either.
#[test]
fn bitpanda_tells() {
    has(&holds_on::<Custody>(), &["yes"]);
}

#[test]
fn paradime_tells() {
    has(&holds_on::<Workspace>(), &["yes", "no"]);
}

#[test]
fn rapidapi_tells() {
    has(&holds_on::<Hub>(), &["yes", "no"]);
}
