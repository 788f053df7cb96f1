//! Laws of `offboard` and `onboard`: the files say of the person what was asked for, and of everybody else what they said.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use rolecall_config::{EditedFile, Loaded, Newcomer, Seen, Somebody, offboard, onboard, reload};
use rolecall_model::{Code, Desired, Email, ProviderName};

use crate::people::{GROUPS, Organization, PEOPLE, bytes, meaning, only, times};
use crate::support::files::loaded;
use crate::{Law, config};

/// Loads an organisation's files as of a time.
fn at((head, files): &(String, Vec<(&'static str, String)>), now: Timestamp) -> Loaded {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    loaded(head, &files, now)
}

/// Returns what is said of everybody but one person.
fn others(desired: &Desired, somebody: &Somebody) -> impl PartialEq + std::fmt::Debug + use<> {
    let own = somebody.addresses(desired.provider);
    let mut desired = desired.clone();
    desired.users.retain(|user| !own.contains(&user.email));
    meaning(&desired)
}

fn edits(edited: &[EditedFile]) -> String {
    let texts = edited.iter().map(|EditedFile { path, after, .. }| format!("# {}\n{after}", path.display()));
    texts.collect::<Vec<_>>().concat()
}

fn formats(provider: ProviderName) -> &'static rolecall_config::Format {
    rolecall_providers::format(provider)
}

/// Nothing but entries that say `absent: true` names the person, and the files say the same of everybody else at any time.
fn who_leaves_is_nowhere(
    provider: ProviderName,
    bytes: &[u8],
    (person, by_alias, all, time): (usize, bool, bool, usize),
) -> Law {
    let organization = Organization::new(provider, bytes);
    let mut files = organization.files();
    if all {
        files.0.push_str("manage: { users: all }\n");
    }
    let asked = if by_alias { organization.address(person) } else { format!("PERSON{person}@x.example") };
    let now = *times().iter().nth(time % times().len()).unwrap();
    let before = at(&files, now);
    // Groups may contradict each other.
    let Some(desired) = only(&before) else { return Ok(()) };
    let somebody = Somebody::find(&before, &Email::parse(&asked).unwrap()).unwrap();
    let own = somebody.addresses(provider);
    let seen = Seen::from([(Arc::clone(&desired.place.file), own.clone())]);
    for seen in [Seen::new(), seen] {
        let edited = offboard(&before, &somebody, &seen).unwrap();
        let after = reload(&before, &edited, now, formats);
        prop_assert!(after.findings.is_empty(), "{:#?}\n{}", after.findings, edits(&edited));
        let left = only(&after).unwrap();
        for user in left.users.iter().filter(|user| own.contains(&user.email)) {
            prop_assert!(user.absent, "{} is still there\n{}", user.email.as_str(), edits(&edited));
        }
        let owed = desired.users.iter().map(|user| &user.email).chain(seen.values().flatten());
        for email in owed.filter(|email| own.contains(*email) && !all) {
            let is_listed = left.users.iter().any(|user| user.email == *email);
            prop_assert!(is_listed, "{} would be ignored\n{}", email.as_str(), edits(&edited));
        }
        for file in after.included.iter().filter(|file| file.text.starts_with("kind: people")) {
            let text = file.text.to_lowercase();
            for name in ["person", "alias", "other"] {
                prop_assert!(!text.contains(&format!("{name}{person}@")), "{text}");
            }
        }
        // The edits are the same whatever the time, so they must fit every time.
        for then in times() {
            let (before, after) = (at(&files, then), reload(&before, &edited, then, formats));
            let Some(before) = only(&before) else { continue };
            prop_assert!(after.findings.is_empty(), "at {then} {:#?}\n{}", after.findings, edits(&edited));
            let after = only(&after).unwrap();
            prop_assert_eq!(others(before, &somebody), others(after, &somebody), "at {}", then);
        }
        let again = Somebody::find(&after, &Email::parse(&asked).unwrap()).unwrap();
        let twice = offboard(&after, &again, &seen).unwrap();
        prop_assert!(twice.is_empty(), "{}\n-- again\n{}", edits(&edited), edits(&twice));
        let known = again.addresses(provider);
        prop_assert!(seen.is_empty() || own.is_subset(&known), "{known:?} lacks an address of {own:?}");
    }
    Ok(())
}

/// The person is a member, and the files say the same of everybody else.
fn who_joins_is_there(provider: ProviderName, bytes: &[u8], (group, time): (usize, usize)) -> Law {
    let organization = Organization::new(provider, bytes);
    let files = organization.files();
    let newcomer = Newcomer { groups: vec![format!("group {group}")], ..Newcomer::default() };
    let now = *times().iter().nth(time % times().len()).unwrap();
    let before = at(&files, now);
    let Some(desired) = only(&before) else { return Ok(()) };
    let somebody = Somebody::find(&before, &Email::parse("new@x.example").unwrap()).unwrap();
    prop_assert!(!somebody.is_named);
    let edited = onboard(&before, &somebody, &newcomer).unwrap();
    let after = reload(&before, &edited, now, formats);
    // Two groups may contain this one.
    let Some(left) = only(&after) else {
        prop_assert!(after.findings.iter().all(|finding| finding.code == Code::GroupConflict));
        return Ok(());
    };
    prop_assert_eq!(others(desired, &somebody), others(left, &somebody), "{}", edits(&edited));
    let again = Somebody::find(&after, &Email::parse("NEW@x.example").unwrap()).unwrap();
    prop_assert!(again.is_named);
    prop_assert!(onboard(&after, &again, &newcomer).unwrap().is_empty(), "{}", edits(&edited));
    // And back.
    let back = offboard(&after, &again, &Seen::new()).unwrap();
    let back = reload(&after, &back, now, formats);
    prop_assert_eq!(others(desired, &somebody), others(only(&back).unwrap(), &somebody));
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn who_was_offboarded_is_nowhere_and_nobody_else_is_touched(
        at in 0..ProviderName::ALL.len(),
        bytes in bytes(),
        how in (0..PEOPLE, any::<bool>(), any::<bool>(), any::<usize>()),
    ) {
        who_leaves_is_nowhere(ProviderName::ALL[at], &bytes, how)?;
    }

    #[test]
    fn who_was_onboarded_is_there_and_nobody_else_is_touched(
        at in 0..ProviderName::ALL.len(),
        bytes in bytes(),
        how in (0..GROUPS, any::<usize>()),
    ) {
        who_joins_is_there(ProviderName::ALL[at], &bytes, how)?;
    }
}
