//! Bitpanda Custody in the laws.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::subsequence;
use rolecall_graphql::Request;
use rolecall_model::Mutation;
use rolecall_sandbox::bitpanda::{DuplicateInvite, Invitees, World};

use crate::lawful::{FileBody, Lawful, LiveSecret, shuffle};
use crate::support::bitpanda::{Custody, OWN_SECRET, key, user, world};
use crate::support::rig::now;
use crate::{config, planned};

const ROLES: &[&str] = &["ADMIN", "CLUSTER_OPS", "NEVER_HEARD_OF", "SIGNER"];
const PEOPLE: usize = 6;
const KEY_NAMES: &[&str] = &["backend", "ci", "reporting / 2024"];
const EXPIRIES: &[&str] = &["2030-01-01T00:00:00Z", "2031-06-30T12:30:00Z"];

fn roles() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(ROLES, 0..=ROLES.len())
}

/// Generates organisations as they could be after changes by others. All users are enabled and have accepted
/// unless `shadows` is set.
fn organisations(shadows: bool) -> impl Strategy<Value = World> {
    let person = (any::<bool>(), roles(), any::<bool>(), any::<bool>());
    let keys = proptest::collection::vec((0..KEY_NAMES.len(), roles(), 0..EXPIRIES.len(), any::<bool>()), 0..4);
    let switches =
        (prop_oneof![Just(None), (1..4_usize).prop_map(Some)], any::<bool>(), any::<bool>(), any::<bool>());
    (proptest::collection::vec(person, PEOPLE..PEOPLE + 3), keys, switches).prop_map(
        move |(people, keys, switches)| {
            let mut world = world();
            for (index, (there, roles, enabled, accepted)) in people.into_iter().enumerate() {
                if there {
                    // No file lists the users after the first ones.
                    let name = if index < PEOPLE { "u" } else { "unlisted" };
                    let mut user = user(&format!("{name}{index}@x.example"), &roles);
                    user.enabled = enabled || !shadows;
                    user.accepted = accepted || !shadows;
                    world.users.push(user);
                }
            }
            if switches.1 {
                // An account without an address, and a key without a name.
                world.users.push(user("", &["SIGNER"]));
                world.keys.push(key("nameless", "", &["SIGNER"], "nameless"));
            }
            for (index, (name, roles, expires, enabled)) in keys.into_iter().enumerate() {
                let mut key = key(&format!("k{index}"), KEY_NAMES[name], &roles, &format!("live-{index}"));
                key.expires = EXPIRIES[expires].parse().unwrap();
                key.enabled = enabled;
                world.keys.push(key);
            }
            let (page_size, shown, millis, resent) = switches;
            world.switches.page_size = page_size;
            world.switches.invitees = if shown { Invitees::Shown } else { Invitees::Hidden };
            world.switches.expiry_millis = millis;
            world.switches.duplicate_invite =
                if resent { DuplicateInvite::Resent } else { DuplicateInvite::Refused };
            world
        },
    )
}

fn user_entry(index: usize) -> impl Strategy<Value = Option<String>> {
    let listed = (proptest::option::of(roles()), any::<bool>()).prop_map(move |(roles, enabled)| {
        let roles = roles.map(|roles| format!(", roles: [{}]", roles.join(", "))).unwrap_or_default();
        let name = "first_name: First, last_name: Last";
        Some(format!("{{ email: U{index}@x.example, {name}, enabled: {enabled}{roles} }}"))
    });
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(format!("{{ email: u{index}@x.example, absent: true }}"))),
        4 => listed,
    ]
}

fn key_entry(name: &'static str) -> impl Strategy<Value = Option<String>> {
    let listed = (roles(), 0..EXPIRIES.len()).prop_map(move |(roles, expires)| {
        let file = name.replace([' ', '/'], "-");
        Some(format!(
            "{{ name: {name}, roles: [{}], expires: {}, deliver: {{ file: {file} }} }}",
            roles.join(", "),
            EXPIRIES[expires]
        ))
    });
    prop_oneof![1 => Just(None), 1 => Just(Some(format!("{{ name: {name}, absent: true }}"))), 3 => listed]
}

impl Lawful for Custody {
    const GAPS: &'static [&'static str] = &["`enabled`"];
    const UNPLANNABLE: (&'static str, &'static str) = ("keys", "{ name: broken, id: nowhere }");
    const BUSY: &'static [&'static str] =
        &["user invite", "user update", "user disable", "key create", "key disable"];

    fn worlds(shadows: bool) -> BoxedStrategy<World> {
        organisations(shadows).boxed()
    }

    fn files() -> BoxedStrategy<FileBody> {
        let users: Vec<_> = (0..PEOPLE).map(|index| user_entry(index).boxed()).collect();
        let keys: Vec<_> = KEY_NAMES.iter().map(|name| key_entry(name).boxed()).collect();
        let scope = || prop_oneof![Just("listed"), Just("all")];
        (users, keys, scope(), any::<bool>(), 0..3_usize)
            .prop_map(|(users, keys, scope, reinvite, min_admins)| FileBody {
                head: format!("manage: {{ users: {scope} }}\nreinvite_expired: {reinvite}"),
                lists: vec![
                    ("users", users.into_iter().flatten().collect()),
                    ("keys", keys.into_iter().flatten().collect()),
                ],
                min_admins,
            })
            .boxed()
    }

    /// Generates organisations in which admins change places.
    fn swaps() -> BoxedStrategy<(World, FileBody)> {
        let person = (any::<bool>(), any::<bool>());
        (proptest::collection::vec(person, 0..3), 1..3_usize, 0..2_usize)
            .prop_map(|(others, min_admins, unlisted)| {
                let people: Vec<(bool, bool)> = [(true, false), (false, true)].into_iter().chain(others).collect();
                let mut world = world();
                world
                    .users
                    .extend((0..unlisted).map(|index| user(&format!("unlisted{index}@x.example"), &["ADMIN"])));
                let mut users = Vec::new();
                for (index, (is_admin, shall_be)) in people.into_iter().enumerate() {
                    let email = format!("u{index}@x.example");
                    world.users.push(user(&email, if is_admin { &["ADMIN"] } else { &["SIGNER"] }));
                    let role = if shall_be { "ADMIN" } else { "SIGNER" };
                    users.push(format!("{{ email: {email}, roles: [{role}], enabled: true }}"));
                }
                (world, FileBody { head: String::new(), lists: vec![("users", users)], min_admins })
            })
            .boxed()
    }

    fn mixed() -> BoxedStrategy<(World, FileBody)> {
        let any_world = prop_oneof![(Self::worlds(false), Self::files()), Self::swaps()];
        (any_world, any::<bool>())
            .prop_map(|((mut world, file), quorum)| {
                world.switches.quorum = quorum;
                (world, file)
            })
            .boxed()
    }

    /// Removes pending invitations, which the list hides. Inviting such a user again is refused, and no plan can
    /// know that.
    fn remove_unknowable(world: &mut World) {
        let hidden = world.switches.invitees == Invitees::Hidden;
        world.users.retain(|user| user.accepted || !hidden);
    }

    fn shuffled(world: &World, seed: u64) -> World {
        let mut shuffled = world.clone();
        shuffle(&mut shuffled.users, seed);
        shuffle(&mut shuffled.keys, seed);
        shuffled.switches.page_size = Some(usize::try_from(seed % 4).unwrap() + 1);
        shuffled
    }

    fn usable_admins(world: &World) -> usize {
        world.usable_admins()
    }

    fn own_access_works(world: &World) -> bool {
        world.admits(OWN_SECRET, now())
    }

    fn access(world: &World) -> BTreeMap<String, BTreeSet<String>> {
        let users = world.users.iter().filter(|user| user.enabled);
        let users = users.map(|user| (format!("user {}", user.id), user.roles.clone()));
        let keys = world.keys.iter().filter(|key| key.enabled);
        let keys = keys.map(|key| (format!("key {}", key.id), BTreeSet::from(["works".to_owned()])));
        users.chain(keys).collect()
    }

    /// The API doesn't show who is disabled.
    fn may(world: &World) -> Vec<(String, BTreeSet<String>)> {
        let hidden = world.switches.invitees == Invitees::Hidden;
        let listed = world.users.iter().filter(|user| user.accepted || !hidden);
        let roles = |roles: &BTreeSet<String>| roles.iter().map(|role| format!("{role} @ organization")).collect();
        listed.map(|user| (user.email.to_lowercase(), roles(&user.roles))).collect()
    }

    fn invited(_: &World) -> Vec<String> {
        Vec::new()
    }

    fn mails(world: &World) -> Vec<String> {
        world.mails.clone()
    }

    fn live_secrets(world: &World) -> Vec<LiveSecret> {
        let enabled = world.keys.iter().filter(|key| key.enabled);
        enabled
            .map(|key| LiveSecret {
                id: key.id.clone(),
                file: key.name.replace([' ', '/'], "-"),
                digest: key.digest.clone(),
            })
            .collect()
    }

    fn break_users(world: &mut World, how: u8) {
        let listed = world.users.iter().filter(|user| user.accepted || world.switches.invitees == Invitees::Shown);
        let less = how.is_multiple_of(2) && listed.count() > 0;
        world.switches.count_off_by = if less { -1 } else { 1 };
        world.switches.page_size = None;
    }

    fn emails(world: &World) -> BTreeSet<String> {
        world.users.iter().map(|user| user.email.to_lowercase()).collect()
    }

    fn carries_whole_value(request: &Request) -> Result<(), String> {
        let Some(input) = request.variables.get("updateUserInput") else { return Ok(()) };
        let fields: Vec<&String> = input.as_object().unwrap().keys().collect();
        if fields == ["enabled", "roles", "userTrustId"] { Ok(()) } else { Err(format!("{input}")) }
    }
}

proptest! {
    #![proptest_config(config())]

    /// Law 2 with updates that wait for a second approval: nothing is sent twice, and the approval makes the
    /// organisation converge.
    #[test]
    fn waiting_for_approval_is_not_a_reason_to_send_again(mut world in Custody::worlds(false), file in Custody::files()) {
        world.switches.quorum = true;
        let mut rig = Custody::rig(world, &file);
        let Some(first) = planned(&rig) else { return Ok(()) };
        rig.apply_plan(&first).unwrap();
        let Some(second) = planned(&rig) else { return Ok(()) };
        let sent: BTreeSet<String> = first.sealed.mutations.iter().map(|m| format!("{:?}", m.variables)).collect();
        // Mutations that depend on a waiting one have not been sent.
        let skipped = |m: &Mutation| first.sealed.mutations.iter().any(|f| f.variables == m.variables && !f.after.is_empty());
        for mutation in second.sealed.mutations.iter().filter(|m| m.operation == "updateUser" && !skipped(m)) {
            prop_assert!(!sent.contains(&format!("{:?}", mutation.variables)), "{mutation:#?}");
        }
    }
}

crate::laws!(Custody);
