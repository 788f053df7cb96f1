//! The law of keys that rotate by themselves, over a simulated year each: runs at random times, answers that get lost,
//! deliveries that fail, runs that die, a ledger that gets lost, and a person who is late with the swap of rolecall's own key.
//!
//! After every single mutation, the secret that was delivered works, one or two keys work, and the key that signs in isn't
//! retired. After a run without a mishap, no key is older than its limit and the delays of two runs: of the one that created
//! its successor, and of the one that retired it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rolecall_engine::apply::Report;
use rolecall_engine::ledger::Ledger;
use rolecall_model::{Code, Expiry, Finding, Live, OrganizationPlan};
use rolecall_plan::{Planned, Selection, select};
use rolecall_sandbox::digest;

use crate::support::bitpanda::Custody;
use crate::support::hive::Console;
use crate::support::rig::{Fate, Platform, Rig, desired, now};
use crate::support::{bitpanda, hive};
use crate::{Law, fates, few, secret_part};

/// A platform with keys.
trait Vault: Platform {
    /// The fields of rolecall's own key, of another one, and of that one after an edit.
    const ENTRIES: [&'static str; 3];
    /// The name of rolecall's credential in the file.
    const CREDENTIAL: &'static str;
    /// The secret that rolecall signs in with at first.
    fn first_secret() -> String;
    /// Returns an organisation with nothing but rolecall's own key, which is as old as if it had just been created.
    fn empty(policy: &Policy) -> Self::World;
    /// Returns the keys that are enabled.
    fn keys(world: &Self::World) -> Vec<Held>;
    /// Removes a key, as a person does in the web app.
    fn remove(world: &mut Self::World, id: &str);
    /// Lets a key expire at this time, as if a person had created another like it.
    fn renew(world: &mut Self::World, digest: &str, expires: Timestamp);
}

/// A key of the platform.
#[derive(Clone, Debug)]
struct Held {
    id: String,
    name: String,
    digest: String,
    expires: Option<Expiry>,
}

impl Held {
    fn works(&self, at: Timestamp) -> bool {
        self.expires.is_none_or(|expires| !expires.is_past(at))
    }
}

impl Vault for Console {
    const ENTRIES: [&'static str; 3] = [
        "permissions: [organization:describe, member:describe, member:modify, accessToken:modify, project:describe], resources: all",
        "permissions: [project:describe], resources: all",
        "permissions: [project:describe, schemaCheck:create], resources: all",
    ];
    const CREDENTIAL: &'static str = "token";

    fn first_secret() -> String {
        rolecall_sandbox::hive::OWN_CREDENTIAL.trim_start_matches("Bearer ").to_owned()
    }

    fn empty(_: &Policy) -> Self::World {
        let mut world = hive::world();
        world.tokens.iter_mut().for_each(|token| token.created_at = now());
        world
    }

    fn keys(world: &Self::World) -> Vec<Held> {
        let held = world.tokens.iter().map(|token| Held {
            id: token.id.clone(),
            name: token.title.clone(),
            digest: token.digest.clone(),
            expires: None,
        });
        held.collect()
    }

    fn remove(world: &mut Self::World, id: &str) {
        world.tokens.retain(|token| token.id != id);
    }

    fn renew(_: &mut Self::World, _: &str, _: Timestamp) {}
}

impl Vault for Custody {
    const ENTRIES: [&'static str; 3] = ["roles: [ADMIN]", "roles: [CLUSTER_OPS]", "roles: [CLUSTER_MANAGER]"];
    const CREDENTIAL: &'static str = "api_key";

    fn first_secret() -> String {
        bitpanda::OWN_SECRET.to_owned()
    }

    fn empty(policy: &Policy) -> Self::World {
        let mut world = bitpanda::world();
        if let Some((lifetime, _)) = policy.expiry.filter(|_| policy.own) {
            world.keys[0].expires = Expiry::new(now() + hours(lifetime));
        }
        world
    }

    fn keys(world: &Self::World) -> Vec<Held> {
        let held = world.keys.iter().filter(|key| key.enabled).map(|key| Held {
            id: key.id.clone(),
            name: key.name.clone(),
            digest: key.digest.clone(),
            expires: Some(key.expires),
        });
        held.collect()
    }

    fn remove(world: &mut Self::World, id: &str) {
        world.keys.iter_mut().filter(|key| key.id == id).for_each(|key| key.enabled = false);
    }

    fn renew(world: &mut Self::World, digest: &str, expires: Timestamp) {
        let keys = world.keys.iter_mut().filter(|key| key.digest == digest);
        keys.for_each(|key| key.expires = Expiry::new(expires));
    }
}

/// The rule of the one key. All times are in hours.
#[derive(Clone, Copy, Debug)]
struct Policy {
    max_age: Option<i64>,
    /// `lifetime` and `rotate_before`.
    expiry: Option<(i64, i64)>,
    overlap: i64,
    automatically: bool,
    /// The key is the one that rolecall signs in with.
    own: bool,
}

impl Policy {
    fn name(self) -> &'static str {
        if self.own { "rolecall" } else { "ci" }
    }

    fn body<P: Vault>(self, edited: bool) -> String {
        let Self { max_age, expiry, overlap, automatically, own } = self;
        let fields = P::ENTRIES[if own { 0 } else { 1 + usize::from(edited) }];
        let mut entry = format!("name: {}, {fields}, deliver: {{ file: secret }}", self.name());
        entry += &max_age.map_or_else(String::new, |hours| format!(", max_age: {hours}h"));
        entry += &expiry.map_or_else(String::new, |(lifetime, before)| {
            format!(", lifetime: {lifetime}h, rotate_before: {before}h")
        });
        if P::NAME == Custody::NAME && expiry.is_none() {
            entry += ", lifetime: 80000h";
        }
        let rotate = if automatically { "automatically" } else { "reviewed" };
        let own = if own { ", rotate_own: true" } else { "" };
        format!("keys: [{{ {entry}, overlap: {overlap}h, rotate: {rotate}{own} }}]\n")
    }
}

/// A run of the scheduled job, and what goes wrong in it.
#[derive(Clone, Debug)]
struct Run {
    /// The hours since the run before.
    after: i64,
    /// A person has reviewed its plan, so that it isn't only for leftovers.
    reviewed: bool,
    /// A person has edited the entry before the run.
    edit: bool,
    mishap: Mishap,
    /// The person does after the run what it says.
    swap: Swap,
}

#[derive(Clone, Debug, PartialEq)]
enum Mishap {
    Nothing,
    Network(Vec<Fate>),
    DeliveryFails,
    /// The process dies before this line of the ledger.
    Dies(usize),
    /// The ledger is lost before the run. A person removes all keys but the one that is in use.
    LedgerLost,
}

/// The steps that a person takes when rolecall's own key has a successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swap {
    All,
    OnlySecret,
    OnlyOwn,
    Nothing,
}

/// The hours of a year.
const YEAR: i64 = 365 * 24;

/// Returns the runs of a year at random times.
fn runs() -> impl Strategy<Value = Vec<Run>> {
    let mishap = prop_oneof![
        8 => Just(Mishap::Nothing),
        2 => fates().prop_map(Mishap::Network),
        1 => Just(Mishap::DeliveryFails),
        2 => (1..8_usize).prop_map(Mishap::Dies),
        1 => Just(Mishap::LedgerLost),
    ];
    let swap = prop_oneof![
        4 => Just(Swap::All),
        1 => Just(Swap::OnlySecret),
        1 => Just(Swap::OnlyOwn),
        2 => Just(Swap::Nothing),
    ];
    let edit = prop_oneof![4 => Just(false), 1 => Just(true)];
    let run = (1..240_i64, any::<bool>(), edit, mishap, swap);
    let run = run.prop_map(|(after, reviewed, edit, mishap, swap)| Run { after, reviewed, edit, mishap, swap });
    proptest::collection::vec(run, 12..=60).prop_map(|mut runs: Vec<Run>| {
        let length: i64 = runs.iter().map(|run| run.after).sum();
        for run in &mut runs {
            run.after = run.after * YEAR / length + 1;
        }
        runs
    })
}

/// Returns rules for a platform whose keys have an expiry, or for one whose keys haven't.
fn policies(has_expiry: bool) -> impl Strategy<Value = Policy> {
    let by = if has_expiry { 0..3_u8 } else { 0..1 };
    (by, 48..2000_i64, 10..=50_i64, 1..=50_i64, any::<bool>(), any::<bool>()).prop_map(
        move |(by, length, before, share, automatically, own)| {
            let before = (length * before / 100).max(2);
            let (max_age, expiry) = match by {
                0 => (Some(length), None),
                1 => (None, Some((length, before))),
                _ => (Some(length - 1), Some((length, before))),
            };
            let longest = if expiry.is_some() { before - 1 } else { length / 2 };
            let overlap = (longest * share * 2 / 100).clamp(i64::from(own), length / 2 - 1);
            Policy { max_age, expiry, overlap, automatically, own }
        },
    )
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// Everything that is looked at after each mutation.
struct Watched {
    name: &'static str,
    /// The file with the secret that was delivered.
    file: PathBuf,
    at: Timestamp,
    /// The digest of the secret that rolecall signs in with.
    signs_in: String,
    /// The digests of all secrets that anybody ever had.
    had: BTreeSet<String>,
    /// The ids of keys that a person removed.
    removed: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Watched {
    /// Returns the secret that was delivered. While a delivery fails, it lies beside its place.
    fn secret(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.file).or_else(|_| std::fs::read_to_string(aside(&self.file)));
        text.ok().map(|text| text.trim().to_owned())
    }

    fn look<P: Vault>(&mut self, world: &P::World) {
        let keys = P::keys(world);
        let named: Vec<&Held> = keys.iter().filter(|key| key.name == self.name).collect();
        let delivered = self.secret().map(|secret| digest(&secret_part(&secret)));
        self.had.extend(delivered.clone());
        if let Some(delivered) = &delivered
            && !named.iter().any(|key| key.digest == *delivered)
        {
            self.wrong.push(format!("the delivered secret was retired: {named:#?}"));
        }
        if !keys.iter().any(|key| key.digest == self.signs_in) {
            self.wrong.push(format!("the key that signs in was retired: {keys:#?}"));
        }
        let usable = named.iter().filter(|key| self.had.contains(&key.digest)).count();
        let working = named.iter().filter(|key| key.works(self.at)).count();
        if working > 2 || usable == 0 && delivered.is_some() {
            self.wrong.push(format!("{working} keys work, and {usable} are usable: {named:#?}"));
        }
    }
}

/// Returns the place of a secret while a delivery fails.
fn aside(file: &Path) -> PathBuf {
    file.with_extension("aside")
}

/// One organisation over the year.
struct Year<P: Platform> {
    policy: Policy,
    rig: Rig<P>,
    watched: Arc<Mutex<Watched>>,
    /// True while deliveries fail that were prepared.
    breaks: Arc<AtomicBool>,
    at: Timestamp,
    /// The id that the file names as `own`.
    own: String,
    secrets: BTreeSet<String>,
    /// The time from which the age of each key counts, and the time of its delivery.
    born: BTreeMap<String, Timestamp>,
    delivered: BTreeMap<String, Timestamp>,
    /// The last run that could take every step, and the longest time between two of them.
    clean: (Timestamp, SignedDuration),
    /// False if somebody was late with the swap of rolecall's own key, or edited the entry of another one.
    prompt: bool,
    edited: bool,
}

impl<P: Vault> Year<P> {
    fn new(policy: Policy) -> Self {
        let rig = Rig::<P>::new(P::empty(&policy), &policy.body::<P>(false));
        let secret = P::first_secret();
        let signs_in = digest(&secret_part(&secret));
        let watched = Arc::new(Mutex::new(Watched {
            name: policy.name(),
            file: rig.deliveries.below.clone().unwrap().join("secret"),
            at: now(),
            had: policy.own.then(|| signs_in.clone()).into_iter().collect(),
            signs_in,
            removed: BTreeSet::new(),
            wrong: Vec::new(),
        }));
        let breaks = Arc::new(AtomicBool::new(false));
        let (seen, broken) = (Arc::clone(&watched), Arc::clone(&breaks));
        let count = Mutex::new(P::keys(&rig.world()).len());
        rig.wire.watch(Arc::new(move |world| {
            let mut watched = seen.lock().unwrap();
            watched.look::<P>(world);
            let (before, keys) = (&mut *count.lock().unwrap(), P::keys(world).len());
            if keys > *before && broken.load(Ordering::Relaxed) {
                // The delivery was prepared, and now its target can't be replaced.
                let _ = std::fs::rename(&watched.file, aside(&watched.file));
                std::fs::create_dir(&watched.file).unwrap();
            }
            *before = keys;
        }));
        Self {
            policy,
            rig,
            watched,
            breaks,
            at: now(),
            own: "own".to_owned(),
            secrets: BTreeSet::from([secret]),
            born: BTreeMap::new(),
            delivered: BTreeMap::new(),
            clean: (now(), hours(0)),
            prompt: true,
            edited: false,
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap()
    }

    fn keys(&self) -> Vec<Held> {
        P::keys(&self.rig.world()).into_iter().filter(|key| key.name == self.policy.name()).collect()
    }

    /// Lets a person take steps of the swap of rolecall's own key.
    fn swap(&mut self, swap: Swap) {
        let Some(secret) = self.watched().secret().filter(|_| self.policy.own) else { return };
        let new = digest(&secret_part(&secret));
        let Some(key) = self.keys().into_iter().find(|key| key.digest == new) else { return };
        if matches!(swap, Swap::All | Swap::OnlySecret) {
            self.rig.sign_in([(P::CREDENTIAL, &*secret)]);
            self.watched().signs_in = new;
        }
        if matches!(swap, Swap::All | Swap::OnlyOwn) {
            self.own = key.id;
        }
        self.write();
    }

    /// Lets a person edit the entry, if it isn't the one of rolecall's own key.
    fn edit(&mut self) {
        if !self.policy.own {
            (self.edited, self.prompt) = (!self.edited, false);
            self.write();
        }
    }

    fn write(&mut self) {
        let text = format!("{}{}", P::HEAD, self.policy.body::<P>(self.edited));
        self.rig.desired = desired(&text.replace("key: own }", &format!("key: {} }}", self.own)));
    }

    /// Lets a person remove all keys but the one that is in use.
    fn tidy(&mut self) {
        self.swap(Swap::All);
        let secret = self.watched().secret();
        let kept = secret.map_or_else(|| self.watched().signs_in.clone(), |secret| digest(&secret_part(&secret)));
        for key in self.keys().iter().filter(|key| key.digest != kept) {
            P::remove(&mut self.rig.world(), &key.id);
            self.watched().removed.insert(key.id.clone());
        }
    }

    fn whole(&self) -> Option<(Live, Planned)> {
        let live = self.rig.read().ok()?;
        let planned = self.rig.planned(&live, &BTreeSet::new(), None).ok()?;
        Some((live, planned))
    }

    /// Lets a person create another key if rolecall can't sign in any more, because no run came before the expiry.
    fn renew(&mut self) -> Law {
        if self.rig.read().is_err() {
            let late = self.at.duration_since(self.clean.0);
            prop_assert!(self.policy.expiry.is_some_and(|(_, before)| late > hours(before)));
            let signs_in = self.watched().signs_in.clone();
            P::renew(&mut self.rig.world(), &signs_in, self.at + hours(self.policy.expiry.unwrap().0));
        }
        Ok(())
    }

    fn plan(&mut self, run: &Run) -> Result<(OrganizationPlan, Vec<Finding>), TestCaseError> {
        let mut found = self.whole();
        // Somebody who can't sign in any more, or whose `own` is wrong, does what is left to do.
        if found.is_none() {
            self.prompt = false;
            self.swap(Swap::All);
            self.renew()?;
            found = self.whole();
        }
        prop_assert!(
            found.is_some(),
            "{:?}",
            self.rig.planned(&self.rig.read().unwrap(), &BTreeSet::new(), None).err()
        );
        let (live, planned) = found.unwrap();
        prop_assert!(
            !planned.findings.iter().any(|finding| finding.code == Code::AmbiguousKey),
            "{:?}",
            planned.findings
        );
        let selection = Selection { leftovers: !run.reviewed, ..Selection::default() };
        let chosen = select(&planned.plan.sealed, &selection).unwrap();
        let plan = self.rig.planned(&live, &BTreeSet::new(), Some(&chosen)).unwrap().plan;
        prop_assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        Ok((plan, planned.findings))
    }

    fn apply(&mut self, plan: &OrganizationPlan, mishap: &Mishap) -> Option<Report> {
        match mishap {
            Mishap::Dies(lines) => {
                self.rig.apply_until_line(plan, *lines);
                None
            }
            Mishap::Network(fates) => {
                self.rig.wire.set_fates(fates);
                let report = self.rig.apply_plan(plan);
                self.rig.wire.set_fates(&[]);
                report
            }
            Mishap::DeliveryFails => {
                self.breaks.store(true, Ordering::Relaxed);
                let report = self.rig.apply_plan(plan);
                self.breaks.store(false, Ordering::Relaxed);
                let file = self.watched().file.clone();
                if file.is_dir() {
                    std::fs::remove_dir(&file).unwrap();
                    let _ = std::fs::rename(aside(&file), &file);
                }
                report
            }
            Mishap::Nothing | Mishap::LedgerLost => self.rig.apply_plan(plan),
        }
    }

    /// No secret is anywhere but in its target.
    fn no_secret_leaks(&mut self, written: &[String]) -> Law {
        let secret = self.watched().secret();
        self.secrets.extend(secret);
        let leaks = |text: &String| self.secrets.iter().any(|secret| text.contains(&secret_part(secret)));
        prop_assert!(!written.iter().any(leaks), "a secret leaks");
        Ok(())
    }

    /// A key that went had a successor for the overlap.
    fn overlaps(&mut self, before: &[Held]) -> Law {
        let keys = self.keys();
        for key in keys.iter().filter(|key| !before.iter().any(|known| known.id == key.id)) {
            self.born.insert(key.id.clone(), self.at);
        }
        for key in &keys {
            if self.watched().had.contains(&key.digest) {
                self.born.entry(key.id.clone()).or_insert(self.at);
                self.delivered.entry(key.id.clone()).or_insert(self.at);
            }
        }
        let is_there = |gone: &Held| keys.iter().any(|key| key.id == gone.id);
        for gone in before.iter().filter(|key| key.works(self.at) && self.delivered.contains_key(&key.id)) {
            if is_there(gone) || self.watched().removed.contains(&gone.id) {
                continue;
            }
            let others = self.delivered.iter().filter(|(id, _)| **id != gone.id).map(|(_, since)| *since);
            let since = self.at.duration_since(others.max().unwrap());
            prop_assert!(since >= hours(self.policy.overlap), "{gone:?} went too early");
        }
        Ok(())
    }

    /// After a run that could take every step, one or two keys work, and none is too old.
    fn is_clean(&mut self) -> Law {
        let (before, longest) = self.clean;
        let longest = longest.max(self.at.duration_since(before));
        self.clean = (self.at, longest);
        let keys = self.keys();
        let working: Vec<&Held> = keys.iter().filter(|key| key.works(self.at)).collect();
        prop_assert!((1..=2).contains(&working.len()), "{} keys: {keys:#?}", working.len());
        prop_assert!(working.iter().any(|key| self.watched().had.contains(&key.digest)), "no usable key");
        for key in working.into_iter().filter(|_| self.prompt) {
            let (Some(max_age), age) = (self.policy.max_age, self.at.duration_since(self.born[&key.id])) else {
                continue;
            };
            prop_assert!(age <= hours(max_age) + longest * 2, "a key is {age} old");
        }
        Ok(())
    }
}

fn keys_rotate<P: Vault>(policy: Policy, runs: &[Run]) -> Law {
    let mut year = Year::<P>::new(policy);
    prop_assert_eq!(year.rig.desired.rotations.len(), 1);
    let first = Run { after: 0, reviewed: true, edit: false, mishap: Mishap::Nothing, swap: Swap::All };
    for run in std::iter::once(&first).chain(runs) {
        year.at += hours(run.after);
        year.rig.set_time(year.at);
        year.watched().at = year.at;
        let before = year.keys();
        if run.edit {
            year.edit();
        }
        if run.mishap == Mishap::LedgerLost {
            year.rig.ledger = Ledger::default();
            year.tidy();
            for born in year.born.values_mut() {
                *born = year.at;
            }
        }
        let (plan, findings) = year.plan(run)?;
        let report = year.apply(&plan, &run.mishap);
        let world = year.rig.world().clone();
        year.watched().look::<P>(&world);
        let wrong = std::mem::take(&mut year.watched().wrong);
        prop_assert!(wrong.is_empty(), "{}\n{:#?}", wrong.join("\n"), plan.sealed.changes);
        year.no_secret_leaks(&[
            format!("{findings:?}"),
            serde_json::to_string(&plan).unwrap(),
            serde_json::to_string(&report).unwrap(),
            serde_json::to_string(year.rig.ledger.records()).unwrap(),
        ])?;
        let all_done = report.as_ref().is_some_and(Report::all_done);
        year.overlaps(&before)?;
        let is_calm = matches!(run.mishap, Mishap::Nothing | Mishap::LedgerLost);
        if all_done && is_calm && (policy.automatically || run.reviewed) {
            year.is_clean()?;
        }
        year.swap(run.swap);
        year.prompt &= run.swap == Swap::All || !policy.own;
    }
    prop_assert!(year.at >= now() + hours(YEAR));
    Ok(())
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn keys_of_hive_rotate_without_a_gap(policy in policies(false), runs in runs()) {
        keys_rotate::<Console>(policy, &runs)?;
    }

    #[test]
    fn keys_of_bitpanda_rotate_without_a_gap(policy in policies(true), runs in runs()) {
        keys_rotate::<Custody>(policy, &runs)?;
    }
}
