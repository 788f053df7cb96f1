//! Paradime in the laws.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use rolecall_graphql::Request;
use rolecall_model::{Action, Address, HoldReason};
use rolecall_sandbox::paradime::{
    DisabledUsers, EmailCase, InviteActive, InviteAgain, InviteDisabled, Refusal, Switches, UserStatus, World,
};

use crate::lawful::{FileBody, Lawful, LiveSecret, shuffle};
use crate::support::paradime::{OWNER, Workspace, disabled, invitation, user, world};
use crate::{config, planned};

const PEOPLE: usize = 6;

/// The last one is a role that rolecall doesn't know.
const TYPES: &[&str] = &["ADMIN", "ADMIN", "DEVELOPER", "BUSINESS", "WORKSPACE_ADMIN", "NEVER_HEARD_OF"];

/// The ways in which a user can be known to the platform.
#[derive(Clone, Copy, Debug)]
enum Presence {
    No,
    Active,
    Disabled,
    Invited,
    Expired,
    /// A member who also has an open invitation.
    Both,
    /// Two users whose addresses differ only in case.
    Namesakes,
    /// A member without a role, whose row can't be read.
    Unreadable,
}

fn switches(shadows: bool) -> impl Strategy<Value = Switches> {
    let invites = (
        select(vec![InviteActive::Refused, InviteActive::OkIgnored, InviteActive::Resent]),
        select(vec![InviteAgain::Refused, InviteAgain::OkIgnored, InviteAgain::Resent, InviteAgain::Replaced]),
        select(if shadows {
            vec![InviteAgain::Refused, InviteAgain::OkIgnored, InviteAgain::Resent, InviteAgain::Replaced]
        } else {
            // An invitation that is always refused can't converge, and no plan can know that it will be.
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

/// Generates workspaces as they could be after changes by others. Nobody is disabled unless `shadows` is set.
fn workspaces(shadows: bool) -> impl Strategy<Value = World> {
    let there = prop_oneof![
        3 => Just(Presence::No),
        8 => Just(Presence::Active),
        1 => Just(if shadows { Presence::Disabled } else { Presence::Active }),
        1 => Just(Presence::Invited),
        1 => Just(Presence::Expired),
        1 => Just(Presence::Both),
        1 => Just(Presence::Namesakes),
        1 => Just(Presence::Unreadable),
    ];
    (proptest::collection::vec((there, select(TYPES)), PEOPLE), switches(shadows)).prop_map(
        |(people, switches)| {
            let mut world = world();
            for (index, (there, account_type)) in people.into_iter().enumerate() {
                let email = format!("u{index}@x.example");
                match there {
                    Presence::No => {}
                    Presence::Active => user(&mut world, &email, account_type),
                    Presence::Disabled => disabled(&mut world, &email, account_type),
                    Presence::Invited => invitation(&mut world, &email, account_type, &switches.pending_status),
                    Presence::Expired => invitation(&mut world, &email, account_type, "EXPIRED"),
                    Presence::Both => {
                        user(&mut world, &email, account_type);
                        invitation(&mut world, &email, "ADMIN", &switches.pending_status);
                    }
                    Presence::Namesakes => {
                        user(&mut world, &email, account_type);
                        user(&mut world, &email.to_uppercase(), "DEVELOPER");
                    }
                    Presence::Unreadable => user(&mut world, &email, ""),
                }
            }
            if switches.empty_errors {
                // An account without an address.
                user(&mut world, "", "DEVELOPER");
            }
            world.switches = switches;
            world
        },
    )
}

fn user_entry(email: &str) -> impl Strategy<Value = Option<String>> + use<> {
    let kind = select(vec!["ADMIN", "DEVELOPER", "BUSINESS", "WORKSPACE_ADMIN"]);
    let owner = email == OWNER;
    let absent = format!("{{ email: {email}, absent: true }}");
    let email = email.to_owned();
    let listed = proptest::option::weighted(0.8, kind).prop_map(move |kind| {
        let roles = kind.map(|kind| format!(", roles: [{kind}]")).unwrap_or_default();
        Some(format!("{{ email: {email}{roles} }}"))
    });
    // For the owner of the credential this is a finding.
    let absent = Some(absent).filter(|_| !owner);
    prop_oneof![
        1 => Just(None),
        1 => Just(absent),
        4 => listed,
    ]
}

/// Returns the roles whose permissions an account type includes.
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
    const GAPS: &'static [&'static str] = &["disabled users", "which workspace"];
    const UNPLANNABLE: (&'static str, &'static str) =
        ("users", "{ email: broken@x.example, id: nobody, roles: [ADMIN] }");
    const BUSY: &'static [&'static str] = &["user invite", "user update", "user disable"];

    fn worlds(shadows: bool) -> BoxedStrategy<World> {
        workspaces(shadows).boxed()
    }

    fn files() -> BoxedStrategy<FileBody> {
        let people = (0..PEOPLE).map(|index| format!("U{index}@x.example")).chain([OWNER.to_owned()]);
        let users: Vec<_> = people.map(|email| user_entry(&email).boxed()).collect();
        let scope = prop_oneof![Just("listed"), Just("all")];
        (users, scope, any::<bool>(), 0..4_usize)
            .prop_map(|(users, scope, reinvite, min_admins)| FileBody {
                head: format!("manage: {{ users: {scope} }}\nreinvite_expired: {reinvite}"),
                lists: vec![("users", users.into_iter().flatten().collect())],
                min_admins,
            })
            .boxed()
    }

    /// Generates workspaces in which admins change places.
    fn swaps() -> BoxedStrategy<(World, FileBody)> {
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
                (world, FileBody { head: String::new(), lists: vec![("users", users)], min_admins })
            })
            .boxed()
    }

    /// Removes users whom somebody else disabled. The API doesn't show them or lists them as active, so an invitation
    /// or an update may be refused. Where the list shows disabled users, the effect of disabling can't be seen
    /// either.
    fn remove_unknowable(world: &mut World) {
        let mut seen = BTreeSet::new();
        world.users.retain(|user| user.status == UserStatus::Active && seen.insert(user.uid.clone()));
        world.switches.invite_expired = InviteAgain::Replaced;
        world.switches.disabled_users = DisabledUsers::Hidden;
    }

    fn shuffled(world: &World, seed: u64) -> World {
        let mut shuffled = world.clone();
        shuffle(&mut shuffled.users, seed);
        shuffle(&mut shuffled.invitations, seed);
        shuffled
    }

    fn usable_admins(world: &World) -> usize {
        world.usable_admins()
    }

    /// The credential belongs to the owner and stops working without them.
    fn own_access_works(world: &World) -> bool {
        let owner = world.user(OWNER).unwrap();
        owner.status == UserStatus::Active && owner.account_type == "ADMIN"
    }

    fn access(world: &World) -> BTreeMap<String, BTreeSet<String>> {
        let active = world.users.iter().filter(|user| user.status == UserStatus::Active);
        active.map(|user| (user.uid.clone(), allows(&user.account_type))).collect()
    }

    fn may(world: &World) -> Vec<(String, BTreeSet<String>)> {
        let hidden = world.switches.disabled_users == DisabledUsers::Hidden;
        let listed = world.users.iter().filter(|user| user.status == UserStatus::Active || !hidden);
        let role = |role: &str| BTreeSet::from([format!("{role} @ organization")]);
        listed.map(|user| (user.email.to_lowercase(), role(&user.account_type))).collect()
    }

    fn invited(world: &World) -> Vec<String> {
        world.invitations.iter().map(|invitation| invitation.email.to_lowercase()).collect()
    }

    fn mails(world: &World) -> Vec<String> {
        world.mails.iter().map(|mail| mail.to_lowercase()).collect()
    }

    fn live_secrets(_: &World) -> Vec<LiveSecret> {
        Vec::new()
    }

    /// Makes the list empty, or lists a user twice or in two ways.
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

    /// A member or somebody with a valid invitation is never invited: what the platform would do isn't known.
    #[test]
    fn nobody_who_is_in_or_invited_is_invited(world in Workspace::worlds(true), file in Workspace::files()) {
        let rig = Workspace::rig(world, &file);
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

    /// Law 2 where the list shows disabled users: nothing is sent twice, and nobody is reported as removed or as
    /// in sync without proof.
    #[test]
    fn where_the_disabled_are_listed_nothing_is_sent_again(world in Workspace::worlds(false), file in Workspace::files()) {
        let mut world = world;
        Workspace::remove_unknowable(&mut world);
        world.switches.disabled_users = DisabledUsers::ListedActive;
        let mut rig = Workspace::rig(world, &file);
        let Some(first) = planned(&rig) else { return Ok(()) };
        rig.apply_plan(&first).unwrap();
        let Ok(second) = rig.try_plan() else { return Ok(()) };
        prop_assert!(second.sealed.mutations.is_empty(), "{:#?}", second.sealed);
        for change in first.sealed.changes.iter().filter(|change| change.action == Action::Disable) {
            let held = second.sealed.holds.iter().find(|hold| hold.address == change.address);
            prop_assert!(matches!(held.map(|hold| &hold.reason), Some(HoldReason::DisableNotSeen { .. })), "{held:?}");
        }
    }
}

crate::laws!(Workspace);
