//! Paradime for the laws.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use rolecall_graphql::Request;
use rolecall_model::{Action, Address, HoldReason};
use rolecall_sandbox::paradime::{
    DisabledUsers, EmailCase, InviteActive, InviteAgain, InviteDisabled, Refusal, Switches, UserStatus, World,
};

use crate::lawful::{Lawful, LiveSecret, Wish, turn};
use crate::support::paradime::{OWNER, Workspace, disabled, invitation, user, world};
use crate::{config, planned};

const PEOPLE: usize = 6;

/// The last came after all that is known.
const TYPES: &[&str] = &["ADMIN", "ADMIN", "DEVELOPER", "BUSINESS", "WORKSPACE_ADMIN", "NEVER_HEARD_OF"];

/// How somebody is known to the platform.
#[derive(Clone, Copy, Debug)]
enum There {
    No,
    Active,
    Disabled,
    Invited,
    Expired,
    /// A member, and an invitation is open besides.
    Both,
    /// Two, whose addresses differ in the case of their letters alone.
    Namesakes,
}

fn switches(shadows: bool) -> impl Strategy<Value = Switches> {
    let invites = (
        select(vec![InviteActive::Refused, InviteActive::OkIgnored, InviteActive::Resent]),
        select(vec![InviteAgain::Refused, InviteAgain::OkIgnored, InviteAgain::Resent, InviteAgain::Replaced]),
        select(if shadows {
            vec![InviteAgain::Refused, InviteAgain::OkIgnored, InviteAgain::Resent, InviteAgain::Replaced]
        } else {
            // One that is always refused can't converge, and nobody can know that it will be.
            vec![InviteAgain::Resent, InviteAgain::Replaced]
        }),
        select(vec![
            InviteDisabled::Refused,
            InviteDisabled::OkIgnored,
            InviteDisabled::Readmits,
            InviteDisabled::Invited,
        ]),
    );
    let answers = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (invites, answers, select(vec!["SENT", "ACTIVE", "NEVER_HEARD_OF"])).prop_map(
        move |((active, pending, expired, disabled), (listed, ok, sensitive, empty, null), status)| Switches {
            invite_active: active,
            invite_pending: pending,
            invite_expired: expired,
            invite_disabled: disabled,
            disabled_users: if listed { DisabledUsers::ListedActive } else { DisabledUsers::Hidden },
            refusal: if ok { Refusal::OkFalse } else { Refusal::Errors },
            email_case: if sensitive { EmailCase::Sensitive } else { EmailCase::Insensitive },
            empty_errors: empty,
            null_payload: null,
            pending_status: status.to_owned(),
            ..Switches::default()
        },
    )
}

/// People as another hand left them. Nobody is disabled unless `shadows` is set.
fn workspaces(shadows: bool) -> impl Strategy<Value = World> {
    let there = prop_oneof![
        3 => Just(There::No),
        8 => Just(There::Active),
        1 => Just(if shadows { There::Disabled } else { There::Active }),
        1 => Just(There::Invited),
        1 => Just(There::Expired),
        1 => Just(There::Both),
        1 => Just(There::Namesakes),
    ];
    (proptest::collection::vec((there, select(TYPES)), PEOPLE), switches(shadows)).prop_map(
        |(people, switches)| {
            let mut world = world();
            for (index, (there, account_type)) in people.into_iter().enumerate() {
                let email = format!("u{index}@x.example");
                match there {
                    There::No => {}
                    There::Active => user(&mut world, &email, account_type),
                    There::Disabled => disabled(&mut world, &email, account_type),
                    There::Invited => invitation(&mut world, &email, account_type, &switches.pending_status),
                    There::Expired => invitation(&mut world, &email, account_type, "EXPIRED"),
                    There::Both => {
                        user(&mut world, &email, account_type);
                        invitation(&mut world, &email, "ADMIN", &switches.pending_status);
                    }
                    There::Namesakes => {
                        user(&mut world, &email, account_type);
                        user(&mut world, &email.to_uppercase(), "DEVELOPER");
                    }
                }
            }
            world.switches = switches;
            world
        },
    )
}

fn user_wish(email: &str) -> impl Strategy<Value = Option<String>> + use<> {
    let kind = select(vec!["ADMIN", "DEVELOPER", "BUSINESS", "WORKSPACE_ADMIN"]);
    let owner = email == OWNER;
    let absent = format!("{{ email: {email}, absent: true }}");
    let email = email.to_owned();
    let listed = proptest::option::weighted(0.8, kind).prop_map(move |kind| {
        let roles = kind.map(|kind| format!(", roles: [{kind}]")).unwrap_or_default();
        Some(format!("{{ email: {email}{roles} }}"))
    });
    // Of the owner of the credential that is a finding.
    let absent = Some(absent).filter(|_| !owner);
    prop_oneof![
        1 => Just(None),
        1 => Just(absent),
        4 => listed,
    ]
}

/// What each account type may do, as far as one includes another.
fn allows(account_type: &str) -> BTreeSet<String> {
    let words: &[&str] = match account_type {
        "ADMIN" => &["administrate", "arrange", "develop", "view"],
        "WORKSPACE_ADMIN" => &["arrange", "develop", "view"],
        "DEVELOPER" => &["develop", "view"],
        "BUSINESS" => &["view"],
        _ => &["whatever"],
    };
    words.iter().map(ToString::to_string).collect()
}

impl Lawful for Workspace {
    const GAPS: &'static [&'static str] = &["who is disabled", "which workspace"];
    const BUSY: &'static [&'static str] = &["user invite", "user replace", "user disable"];

    fn worlds(shadows: bool) -> BoxedStrategy<World> {
        workspaces(shadows).boxed()
    }

    fn wishes() -> BoxedStrategy<Wish> {
        let people = (0..PEOPLE).map(|index| format!("U{index}@x.example")).chain([OWNER.to_owned()]);
        let users: Vec<_> = people.map(|email| user_wish(&email).boxed()).collect();
        let scope = prop_oneof![Just("listed"), Just("all")];
        (users, scope, any::<bool>(), 0..4_usize)
            .prop_map(|(users, scope, reinvite, min_admins)| Wish {
                head: format!("manage: {{ users: {scope} }}\nreinvite_expired: {reinvite}"),
                lists: vec![("users", users.into_iter().flatten().collect())],
                min_admins,
            })
            .boxed()
    }

    /// Admins change places.
    fn swaps() -> BoxedStrategy<(World, Wish)> {
        let person = (any::<bool>(), any::<bool>());
        (proptest::collection::vec(person, 0..3), 1..4_usize, switches(false))
            .prop_map(|(others, min_admins, switches)| {
                let people: Vec<(bool, bool)> = [(true, false), (false, true)].into_iter().chain(others).collect();
                let mut world = world();
                let mut users = vec![format!("{{ email: {OWNER} }}")];
                for (index, (is_admin, shall_be)) in people.into_iter().enumerate() {
                    let email = format!("u{index}@x.example");
                    user(&mut world, &email, if is_admin { "ADMIN" } else { "DEVELOPER" });
                    let role = if shall_be { "ADMIN" } else { "DEVELOPER" };
                    users.push(format!("{{ email: {email}, roles: [{role}] }}"));
                }
                world.switches = switches;
                (world, Wish { head: String::new(), lists: vec![("users", users)], min_admins })
            })
            .boxed()
    }

    /// Whoever another hand disabled can't be told from a stranger, or from somebody active: what is sent for them may be
    /// refused. And where the disabled are listed, disabling isn't seen.
    fn make_knowable(world: &mut World) {
        let mut seen = BTreeSet::new();
        world.users.retain(|user| user.status == UserStatus::Active && seen.insert(user.uid.clone()));
        world.switches.invite_expired = InviteAgain::Replaced;
        world.switches.disabled_users = DisabledUsers::Hidden;
    }

    fn turned(world: &World, seed: u64) -> World {
        let mut turned = world.clone();
        turn(&mut turned.users, seed);
        turn(&mut turned.invitations, seed);
        turned
    }

    fn usable_admins(world: &World) -> usize {
        world.usable_admins()
    }

    /// The credential is the owner's, and may go with them.
    fn lets_us_in(world: &World) -> bool {
        let owner = world.user(OWNER).unwrap();
        owner.status == UserStatus::Active && owner.account_type == "ADMIN"
    }

    fn access(world: &World) -> BTreeMap<String, BTreeSet<String>> {
        let active = world.users.iter().filter(|user| user.status == UserStatus::Active);
        active.map(|user| (user.uid.clone(), allows(&user.account_type))).collect()
    }

    fn mails(world: &World) -> Vec<String> {
        world.mails.iter().map(|mail| mail.to_lowercase()).collect()
    }

    fn live_secrets(_: &World) -> Vec<LiveSecret> {
        Vec::new()
    }

    /// Nobody at all, one of them twice, or in two ways.
    fn break_users(world: &mut World, how: u8) {
        world.switches.disabled_users = DisabledUsers::Hidden;
        if how.is_multiple_of(2) {
            world.users.iter_mut().for_each(|user| user.status = UserStatus::Disabled);
        } else {
            let mut twin = world.users[0].clone();
            if how % 4 == 1 {
                "BUSINESS".clone_into(&mut twin.account_type);
            }
            world.users.push(twin);
        }
    }

    fn emails(world: &World) -> BTreeSet<String> {
        world.users.iter().map(|user| user.email.to_lowercase()).collect()
    }

    fn carries_whole_value(request: &Request) -> Result<(), String> {
        let variables = &request.variables;
        let wanted: &[&str] = match request.operation_name {
            "InviteUser" => &["accountType", "email"],
            "UpdateUserAccountType" => &["accountType", "uid"],
            _ => &["uid"],
        };
        let fields: Vec<&String> = variables.as_object().unwrap().keys().collect();
        if fields == wanted { Ok(()) } else { Err(format!("{variables}")) }
    }
}

proptest! {
    #![proptest_config(config())]

    /// Whoever is in, or can still accept, is never invited: what the platform does then isn't known.
    #[test]
    fn nobody_who_is_in_or_invited_is_invited(world in Workspace::worlds(true), wish in Workspace::wishes()) {
        let rig = Workspace::rig(world, &wish);
        let live = rig.read().unwrap();
        let Ok(plan) = rig.try_plan() else { return Ok(()) };
        let known: BTreeSet<Address> = live.users.items.iter().map(|user| &user.email)
            .chain(live.open_invitations().map(|invitation| &invitation.email))
            .map(Address::user)
            .collect();
        for change in plan.sealed.changes.iter().filter(|change| change.action == Action::Invite) {
            prop_assert!(!known.contains(&change.address), "{}", change.address);
        }
    }

    /// Law 2, where disabled users stay in the list: nothing is sent twice, and nobody passes for gone or for well.
    #[test]
    fn where_the_disabled_are_listed_nothing_is_sent_again(world in Workspace::worlds(false), wish in Workspace::wishes()) {
        let mut world = world;
        Workspace::make_knowable(&mut world);
        world.switches.disabled_users = DisabledUsers::ListedActive;
        let mut rig = Workspace::rig(world, &wish);
        let Some(first) = planned(&rig) else { return Ok(()) };
        rig.apply_plan(&first).unwrap();
        let Ok(second) = rig.try_plan() else { return Ok(()) };
        prop_assert!(second.sealed.mutations.is_empty(), "{:#?}", second.sealed);
        for change in first.sealed.changes.iter().filter(|change| change.action == Action::Disable) {
            let held = second.sealed.holds.iter().find(|hold| hold.address == change.address);
            prop_assert!(matches!(held.map(|hold| &hold.reason), Some(HoldReason::StillListed { .. })), "{held:?}");
        }
    }
}
