//! Writes a people file of everybody in several organisations.
//!
//! For example, Jane Doe is at Bitpanda and Hive, and `jane@partner.example` is at Paradime. The file has both, and says
//! that they may be one person. Equal names or equal words before the `@` prove nothing, so nobody is merged:
//!
//! ```yaml
//! people:
//!   # Perhaps also jane@partner.example at `paradime`. If so, remove that entry, and add here:
//!   #   aliases: { paradime: jane@partner.example }
//!   - email: jane@acme.example
//!     first_name: Jane
//!     last_name: Doe
//!   # Perhaps the same person as jane@acme.example. See the comment there.
//!   - email: jane@partner.example
//! ```
//!
//! An entry in an organisation's file gets the names that the person has here. So a name that two organisations show
//! differently isn't written: a plan would ask one of them to change it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::super::Format;
use super::super::write::{Entry, Fields, Yaml, one_line, section};
use rolecall_model::{Address, Email, Kind, Live, ProviderName, check_name, list_of, quote};

/// The people of one organisation as they are live.
#[derive(Clone, Copy)]
pub struct Roster<'a> {
    pub organization: &'a str,
    pub live: &'a Live,
    pub format: &'static Format,
}

/// A people file of several organisations.
#[derive(Clone, Debug)]
pub struct Everybody {
    pub text: String,
    /// The people of the file, each with the names and the phone number that it states.
    pub people: BTreeMap<Email, Stated>,
    /// The number of people in more than one organisation.
    pub shared: usize,
    /// The number of people who may be another person of the file.
    pub doubtful: usize,
    /// The lists that aren't complete, each with the reason.
    pub incomplete: Vec<String>,
}

/// Names and a phone number, by their fields.
type Stated = Vec<(&'static str, String)>;

/// The platform and the name of an organisation.
type Place<'a> = (ProviderName, &'a str);

/// The values of a field, each with the organisations that show it.
type Values<'a> = BTreeMap<Option<&'a str>, BTreeSet<Place<'a>>>;

/// A person, as the organisations show them.
#[derive(Default)]
struct Found<'a> {
    places: BTreeSet<Place<'a>>,
    fields: BTreeMap<&'static str, Values<'a>>,
    /// The addresses of those who may be the same person, if this one is to stay.
    others: BTreeSet<&'a Email>,
    /// The person who is to stay, if this may be the same one.
    same_as: BTreeSet<&'a Email>,
}

/// Writes the people file of these organisations, without those whom other people files have already.
pub fn everybody(rosters: &[Roster<'_>], known: &BTreeSet<Email>) -> Everybody {
    let mut found: BTreeMap<&Email, Found<'_>> = BTreeMap::new();
    for Roster { organization, live, format } in rosters {
        let capabilities = format.rules.capabilities();
        let place = (capabilities.provider, *organization);
        let is_new = |email: &Email| !known.contains(email);
        for user in live.users.items.iter().filter(|user| is_new(&user.email)) {
            let person = found.entry(&user.email).or_default();
            person.places.insert(place);
            let fields =
                [("first_name", &user.first_name), ("last_name", &user.last_name), ("phone", &user.phone)];
            for (name, value) in fields.into_iter().filter(|(name, _)| capabilities.person_fields.contains(name)) {
                let value = value.as_deref().filter(|value| !value.is_empty());
                person.fields.entry(name).or_default().entry(value).or_default().insert(place);
            }
        }
        let open = live.invitations().iter().filter(|invitation| !invitation.expired && is_new(&invitation.email));
        for invitation in open {
            found.entry(&invitation.email).or_default().places.insert(place);
        }
    }
    compare(&mut found);
    let (mut body, mut people) = (String::new(), BTreeMap::new());
    for (email, person) in &found {
        match entry(email, person, &found) {
            Ok((entry, stated)) => {
                for remark in &entry.remarks {
                    let _ = writeln!(body, "  # {}", one_line(remark));
                }
                body.push_str(&entry.text(true));
                people.insert((*email).clone(), stated);
            }
            Err(comment) => {
                let _ = writeln!(body, "  # {}", one_line(&comment));
            }
        }
    }
    for comment in unreadable(rosters) {
        let _ = writeln!(body, "  # {}", one_line(&comment));
    }
    let incomplete = incomplete(rosters);
    let mut text = String::new();
    for list in &incomplete {
        let _ = writeln!(text, "# Incomplete: {}.", one_line(list));
    }
    text.push_str(HEAD);
    text.push_str(if people.is_empty() { "people: []\n" } else { "people:\n" });
    text.push_str(&body);
    Everybody {
        text,
        shared: found.values().filter(|person| person.places.len() > 1).count(),
        doubtful: found.values().filter(|person| !person.same_as.is_empty()).count(),
        people,
        incomplete,
    }
}

const HEAD: &str = "# Everybody once. An organisation's file that has this one under `include` knows these people. Being here gives
# nobody access.

kind: people

";

/// Returns the entry of a person, with the names that it states. Returns a comment if a file can't have the address.
fn entry<'a>(
    email: &Email,
    person: &Found<'a>,
    found: &BTreeMap<&'a Email, Found<'a>>,
) -> Result<(Entry, Stated), String> {
    // Platforms may spell the address differently.
    if let Err(why) = Email::parse(email.key()) {
        return Err(format!("{email} at {} can't be written: the email address {why}.", names(&person.places)));
    }
    let mut fields: Fields = vec![("email", Yaml::text(email.key()))];
    let (mut stated, mut remarks) = (Stated::new(), Vec::new());
    for (name, values) in &person.fields {
        match agreed(values) {
            Some(value) => match check_name(value) {
                Ok(()) => {
                    fields.push((name, Yaml::text(value)));
                    stated.push((*name, value.to_owned()));
                }
                Err(why) => remarks.push(format!("`{name}` can't be written: {} {why}.", quote(value))),
            },
            None if values.len() > 1 => {
                let of = |(value, places): (&_, &BTreeSet<Place<'_>>)| {
                    let value: Option<&str> = *value;
                    format!("{} at {}", value.map_or_else(|| "missing".to_owned(), quote), names(places))
                };
                let all: Vec<String> = values.iter().map(of).collect();
                remarks.push(format!("`{name}` is {}, so it isn't written here.", all.join(", and ")));
            }
            None => {}
        }
    }
    for other in &person.others {
        let platforms: BTreeSet<ProviderName> =
            found.get(other).into_iter().flat_map(|other| &other.places).map(|(provider, _)| *provider).collect();
        let aliases = platforms.iter().map(|provider| (provider.to_string(), Yaml::text(other.key())));
        let written = section("x", &Yaml::flow(aliases));
        let aliases =
            written.trim_end().strip_prefix("x: {").and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let platforms: Vec<&str> = platforms.iter().map(|provider| provider.as_str()).collect();
        let platforms = list_of(&platforms, "and");
        remarks
            .push(format!("Perhaps also {} at {platforms}. If so, remove that entry, and add here:", other.key()));
        remarks.push(format!("  aliases: {{ {aliases} }}"));
    }
    for same in &person.same_as {
        remarks.push(format!("Perhaps the same person as {}. See the comment there.", same.key()));
    }
    let entry = Entry { remarks, ..Entry::new(Address::user(email), fields) };
    Ok((entry, stated))
}

/// Returns the only value that the organisations show.
fn agreed<'a>(values: &Values<'a>) -> Option<&'a str> {
    if values.len() == 1 { values.keys().next().copied().flatten() } else { None }
}

/// Finds people who may be one person: on different platforms, with the same names or the same word before the `@`. The
/// one who has names, or who is on more platforms, is to stay.
fn compare<'a>(found: &mut BTreeMap<&'a Email, Found<'a>>) {
    let mut alike: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (email, person) in found.iter().filter(|(email, _)| Email::parse(email.key()).is_ok()) {
        let name = |field| person.fields.get(field).and_then(agreed);
        let names = name("first_name").zip(name("last_name")).map(|(first, last)| word(&format!("{first}{last}")));
        let local = email.key().split(['@', '+']).next().map(word);
        let platforms: BTreeSet<ProviderName> = person.places.iter().map(|(provider, _)| *provider).collect();
        let order = (Reverse(names.is_some()), Reverse(platforms.len()), *email);
        let words: BTreeSet<String> = names.into_iter().chain(local).collect();
        for word in words.into_iter().filter(|word| word.chars().count() > 2) {
            alike.entry(word).or_default().push((order, platforms.clone()));
        }
    }
    for mut group in alike.into_values() {
        group.sort();
        let mut group = group.into_iter();
        let Some(((_, _, first), mut taken)) = group.next() else { continue };
        for ((_, _, other), platforms) in group {
            // A person has one address on a platform.
            if platforms.is_disjoint(&taken) {
                taken.extend(platforms);
                found.entry(first).or_default().others.insert(other);
                found.entry(other).or_default().same_as.insert(first);
            }
        }
    }
}

/// Returns the letters and digits of a text.
fn word(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

fn names(places: &BTreeSet<Place<'_>>) -> String {
    let names: Vec<String> =
        places.iter().map(|(provider, organization)| format!("{provider} {organization}")).collect();
    list_of(&names, "and")
}

/// Returns a comment about each user or invitation that can't be read.
fn unreadable(rosters: &[Roster<'_>]) -> BTreeSet<String> {
    let of = |Roster { organization, live, format }: &Roster<'_>| {
        let place = format!("{} {organization}", format.rules.capabilities().provider);
        let rows = live.unreadable.iter().filter(|row| matches!(row.address.kind, Kind::User | Kind::Invitation));
        rows.map(|row| format!("{} at {place} can't be read: {}.", row.address, row.why)).collect::<Vec<_>>()
    };
    rosters.iter().flat_map(of).collect()
}

/// Returns the lists that may lack somebody, each with the reason, in the order of the organisations' names.
fn incomplete(rosters: &[Roster<'_>]) -> Vec<String> {
    let of = |Roster { organization, live, format }: &Roster<'_>| {
        let place = format!("{} {organization}", format.rules.capabilities().provider);
        let lists = super::incomplete(live, &BTreeSet::from([Kind::User])).into_iter();
        lists.map(|(_, why)| format!("the list of users of {place}, because {why}")).collect::<Vec<_>>()
    };
    let all: BTreeSet<String> = rosters.iter().flat_map(of).collect();
    all.into_iter().collect()
}
