//! Laws of people who come from a directory: whoever has left it is like somebody whose access has ended, and everybody else
//! is as if the people file listed them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use rolecall_model::{Address, Code, Email, ProviderName};

use crate::people::{Organization, PEOPLE, bytes, meaning, only, times};
use crate::support::files::loaded;
use crate::{Law, config};

/// Returns the value of a field in an entry that is written as a flow mapping.
fn field<'a>(entry: &'a str, name: &str) -> &'a str {
    let rest = entry.split_once(&format!("{name}: ")).map(|(_, rest)| rest).unwrap_or_default();
    rest.split([',', '}']).next().unwrap_or_default().trim().trim_matches('"')
}

/// Returns the people file in two forms: with all people in a list, where those who left have an end in the past; and with
/// a directory, which doesn't have them. The third text is that of the directory.
fn both(people: &str, left: &BTreeSet<usize>, as_json: bool) -> (String, String, String) {
    let (mut list, mut details) = (String::new(), String::new());
    let mut rows =
        if as_json { String::new() } else { "Name,email,until,first_name,last_name,phone\n".to_owned() };
    let mut rest = String::new();
    for line in people.lines() {
        let Some(entry) = line.strip_prefix("  - { email: ") else {
            let _ = writeln!(rest, "{line}");
            continue;
        };
        let email = entry.split([',', ' ']).next().unwrap_or_default();
        let number = email.strip_prefix("person").and_then(|rest| rest.split('@').next()?.parse().ok());
        let aliases = entry.split_once("aliases: ").and_then(|(_, rest)| Some(rest.split_once('}')?.0));
        let until = field(entry, "until");
        if number.is_some_and(|number: usize| left.contains(&number)) {
            let ended = match until {
                "" => format!("{}, until: 2000-01-01 }}", line.strip_suffix(" }").unwrap()),
                until => line.replace(until, "2000-01-01"),
            };
            let _ = writeln!(list, "{ended}");
        } else {
            let _ = writeln!(list, "{line}");
            let [first, last, phone] = ["first_name", "last_name", "phone"].map(|name| field(entry, name));
            let _ = if as_json {
                let row = serde_json::json!({ "salary": 7, "email": email, "first_name": first, "last_name": last, "phone": phone, "until": until });
                writeln!(rows, "{row}")
            } else {
                writeln!(rows, "\"Doe, X\",{email},{until},{first},{last},{phone}")
            };
        }
        if let Some(aliases) = aliases {
            let _ = writeln!(details, "    - {{ email: {email}, aliases: {aliases} }} }}");
        }
    }
    let (head, groups) = rest.split_once("people:\n").unwrap_or((&rest, ""));
    let source = if as_json { "scim: staff.json" } else { "csv: staff.csv" };
    (
        format!("{head}people:\n{list}{groups}"),
        format!("{head}people:\n  {source}\n  details:\n{details}{groups}"),
        rows,
    )
}

/// Returns the people file without the ends of people.
fn endless(people: &str) -> String {
    let line = |line: &str| match line.split_once(", until: ") {
        Some((before, _)) if line.starts_with("  - { email: ") => format!("{before} }}"),
        _ => line.to_owned(),
    };
    people.lines().map(|text| line(text) + "\n").collect()
}

fn who_left_is_like_whose_access_ended(
    provider: ProviderName,
    bytes: &[u8],
    left: &BTreeSet<usize>,
    as_json: bool,
) -> Law {
    let organization = Organization::new(provider, bytes);
    let (head, files) = organization.files();
    let outsider = "people:\n  - { email: outsider@x.example }\n";
    let files: Vec<(&str, String)> = files
        .into_iter()
        .map(|(path, text)| (path, if path == "more.yaml" { text.replace("people:\n", outsider) } else { text }))
        .collect();
    let people = &files.iter().find(|(path, _)| *path == "people.yaml").unwrap().1;
    let (list, directory, rows) = both(people, left, as_json);
    let name = if as_json { "staff.json" } else { "staff.csv" };
    let with = |people: &str| -> Vec<(&'static str, String)> {
        let others = files.iter().filter(|(path, _)| *path != "people.yaml").cloned();
        others.chain([("people.yaml", people.to_owned()), (name, rows.clone())]).collect()
    };
    let (listed, asked, plain) = (with(&list), with(&directory), with(&endless(people)));
    let texts = |files: &[(&'static str, String)]| -> String {
        files.iter().map(|(path, text)| format!("# {path}\n{text}")).chain([format!("# x.yaml\n{head}")]).collect()
    };
    // Only people of this file can leave the directory.
    let mut leavers: BTreeSet<Address> = BTreeSet::new();
    for person in 0..PEOPLE {
        let mut lines = people.lines().filter(|line| line.starts_with(&format!("  - {{ email: person{person}@")));
        if lines.any(|line| left.contains(&person) || line.contains("until: ")) {
            leavers.insert(Address::user(&Email::parse(&organization.address(person)).unwrap()));
        }
    }
    for now in times() {
        let load = |files: &[(&'static str, String)]| {
            let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
            loaded(&head, &files, now)
        };
        let (one, other) = (load(&listed), load(&asked));
        let errors = |loaded: &rolecall_config::Loaded| -> BTreeSet<Code> {
            loaded.findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.code).collect()
        };
        prop_assert_eq!(errors(&one), errors(&other), "at {}\n{}{:?}", now, texts(&asked), &other.findings);
        let (Some(one), Some(other)) = (only(&one), only(&other)) else { continue };
        prop_assert!(other.left.is_subset(&leavers), "{:?}\n{}", other.left, texts(&asked));
        // A file that lists nobody's end can't tell of somebody whom nothing names.
        let is_unnamed = |email: &Email| {
            let address = Address::user(email);
            leavers.contains(&address) && !other.users.iter().any(|user| user.email == *email)
        };
        let mut one = one.clone();
        let unnamed: Vec<Email> =
            one.users.iter().map(|user| user.email.clone()).filter(|email| is_unnamed(email)).collect();
        // Without a directory and without an end, nothing gives them access either.
        let plain = load(&plain);
        for email in &unnamed {
            let listed = only(&plain).is_some_and(|plain| plain.users.iter().any(|user| user.email == *email));
            prop_assert!(!listed, "{} is listed\n{}", email.as_str(), texts(&asked));
        }
        one.users.retain(|user| !unnamed.contains(&user.email));
        prop_assert_eq!(meaning(&one), meaning(other), "at {}\n{}", now, texts(&asked));
        let absent = other.users.iter().filter(|user| user.absent).map(|user| Address::user(&user.email));
        let absent: BTreeSet<Address> = absent.collect();
        prop_assert!(other.left.is_subset(&absent), "{:?} {:?}", other.left, absent);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whoever_left_the_directory_is_like_somebody_whose_access_ended(
        at in 0..ProviderName::ALL.len(),
        bytes in bytes(),
        left in proptest::collection::btree_set(0..PEOPLE, 0..PEOPLE),
        as_json: bool,
    ) {
        who_left_is_like_whose_access_ended(ProviderName::ALL[at], &bytes, &left, as_json)?;
    }
}
