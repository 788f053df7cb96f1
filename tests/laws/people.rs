//! Laws of groups, included files and access that ends: what they come to is what an oracle writes out in one file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestRunner};
use rolecall_config::Loaded;
use rolecall_model::{Address, Code, Delivery, Desired, Ending, Kind, ProviderName};
use serde_json::Value;

use crate::support::files::loaded;
use crate::support::{bitpanda, hive, paradime, rapidapi};
use crate::{Law, config};

/// The ends of access as a file writes them, and the instants that they mean.
const TIMES: &[(&str, &str)] = &[
    ("2026-11-23", "2026-11-24T00:00:00Z"),
    ("2026-11-24", "2026-11-25T00:00:00Z"),
    ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00Z"),
    ("2026-11-24T14:00:00+02:00", "2026-11-24T12:00:00Z"),
    ("2026-11-29", "2026-11-30T00:00:00Z"),
];

pub const PEOPLE: usize = 5;
pub const GROUPS: usize = 4;

/// Decides with the bytes of a generated text. When they have run out, every decision is the first one.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn pick(&mut self, of: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % of
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.pick(of) == of - 1
    }

    fn maybe<T>(&mut self, of: usize, then: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(of).then(|| then(self))
    }

    fn several<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.pick(most + 1)).map(|_| one(self)).collect()
    }

    fn date(&mut self, of: usize) -> Date {
        self.maybe(of, |dice| dice.pick(TIMES.len()))
    }
}

/// The number of a time in [`TIMES`].
type Date = Option<usize>;

fn instant(date: usize) -> Timestamp {
    TIMES[date].1.parse().unwrap()
}

fn is_past(date: Date, now: Timestamp) -> bool {
    date.is_some_and(|date| instant(date) <= now)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Person(usize),
    Group(usize),
    /// Somebody whom no people file has.
    Outsider,
}

#[derive(Debug)]
struct Person {
    alias: bool,
    named: bool,
    until: Date,
    /// The number of the people file.
    file: usize,
}

#[derive(Debug)]
struct Group {
    members: Vec<(Who, Date)>,
    except: Vec<usize>,
    file: usize,
}

/// The resources of an entry at Hive: everything, or services of targets of projects.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    All,
    Below(BTreeMap<&'static str, Tree>),
    Services(BTreeSet<&'static str>),
}

#[derive(Clone, Debug, Default)]
pub struct Values {
    roles: Option<Vec<(&'static str, Date)>>,
    teams: Option<BTreeMap<&'static str, (Option<&'static str>, Date)>>,
    resources: Option<Tree>,
    /// Whether the user can sign in.
    pub flag: Option<bool>,
}

/// What the files say of somebody at a time.
#[derive(Debug)]
pub enum Said {
    Nothing,
    /// They must have no access.
    Gone,
    Has(Values),
}

#[derive(Debug)]
struct Entry {
    who: Who,
    /// The form in which a person's address is written.
    form: usize,
    absent: bool,
    until: Date,
    values: Values,
    /// The number of the organisation's file, or of a part.
    file: usize,
}

/// One organisation, as it is written in several files.
#[derive(Debug)]
pub struct Organization {
    provider: ProviderName,
    people: Vec<Person>,
    groups: Vec<Group>,
    entries: Vec<Entry>,
    /// The ends of keys or teams, and whether each is absent.
    named: Vec<(Date, bool, usize)>,
}

impl Organization {
    pub fn new(provider: ProviderName, bytes: &[u8]) -> Self {
        let dice = &mut Dice(bytes.iter());
        let person = |dice: &mut Dice<'_>| Person {
            alias: dice.one_in(3),
            named: dice.one_in(2),
            until: dice.date(5),
            file: dice.pick(2),
        };
        let people = (0..PEOPLE).map(|_| person(dice)).collect();
        let group = |dice: &mut Dice<'_>, at: usize| Group {
            members: dice.several(4, |dice| {
                let who = match dice.pick(3) {
                    2 if at > 0 => Who::Group(dice.pick(at)),
                    _ => Who::Person(dice.pick(PEOPLE)),
                };
                (who, dice.date(3))
            }),
            except: dice.several(2, |dice| dice.pick(PEOPLE)),
            file: dice.pick(2),
        };
        let groups = (0..GROUPS).map(|at| group(dice, at)).collect();
        let mut entries: Vec<Entry> = Vec::new();
        for entry in dice.several(7, |dice| Entry::new(provider, dice)) {
            let is_free = matches!(entry.who, Who::Group(_)) || entries.iter().all(|other| other.who != entry.who);
            entries.extend(is_free.then_some(entry));
        }
        let named = dice.several(3, |dice| {
            let until = dice.date(2);
            (until, until.is_none() && dice.one_in(2), dice.pick(3))
        });
        // A team that ends takes its members along.
        if provider == ProviderName::Rapidapi
            && named.first().is_some_and(|(date, _, _): &(Date, _, _)| date.is_some())
        {
            for teams in entries.iter_mut().filter_map(|entry| entry.values.teams.as_mut()) {
                if let Some(team) = teams.remove("Post") {
                    teams.insert("name 0", team);
                }
            }
        }
        Self { provider, people, groups, entries, named }
    }

    fn has_several_roles(&self) -> bool {
        self.provider == ProviderName::Bitpanda
    }

    /// Returns the address of a person on the platform.
    pub fn address(&self, person: usize) -> String {
        if person == PEOPLE {
            return "outsider@x.example".to_owned();
        }
        let name = if self.people[person].alias { "alias" } else { "person" };
        format!("{name}{person}@x.example")
    }

    /// Returns the names of a person, where the platform has them.
    fn names(&self, person: usize) -> &'static str {
        let has_names = person < PEOPLE && self.people[person].named && self.provider == ProviderName::Bitpanda;
        if has_names { ", first_name: Jane, last_name: Doe, phone: \"+43\"" } else { "" }
    }

    /// Returns the organisation's file, and the files that it includes.
    pub fn files(&self) -> (String, Vec<(&'static str, String)>) {
        let mut people =
            ["first", "second"].map(|name| format!("kind: people\npeople:\n  - {{ email: {name}@x.example }}\n"));
        for (at, person) in self.people.iter().enumerate() {
            let other = if self.provider == ProviderName::Hive { "paradime" } else { "hive" };
            let mut text = format!("{{ email: person{at}@x.example, aliases: {{ {other}: other{at}@x.example");
            if person.alias {
                let _ = write!(text, ", {}: Alias{at}@x.example", self.provider);
            }
            text.push_str(" }");
            if person.named {
                text.push_str(", first_name: Jane, last_name: Doe, phone: \"+43\"");
            }
            let _ = writeln!(people[person.file], "  - {text}{} }}", until(person.until));
        }
        for text in &mut people {
            text.push_str("groups:\n  - { name: nobody }\n");
        }
        people[1] = people[1].replace("name: nobody", "name: no one");
        for (at, group) in self.groups.iter().enumerate() {
            let member = |(who, date): &(Who, Date)| match (who, date) {
                (Who::Person(person), None) => format!("Person{person}@x.example"),
                (Who::Person(person), date) => format!("{{ person: person{person}@x.example{} }}", until(*date)),
                (Who::Group(group), date) => format!("{{ group: group {group}{} }}", until(*date)),
                (Who::Outsider, _) => unreachable!(),
            };
            let members: Vec<String> = group.members.iter().map(member).collect();
            let except: Vec<String> =
                group.except.iter().map(|person| format!("person{person}@x.example")).collect();
            let _ = writeln!(
                people[group.file],
                "  - {{ name: group {at}, members: [{}], except: [{}] }}",
                members.join(", "),
                except.join(", ")
            );
        }
        let [people, more] = people;
        let mut texts = [self.head().to_owned(), "x-owner: one\n".to_owned(), "x-owner: two\n".to_owned()];
        texts[0].push_str("include: [parts/first.yaml, people.yaml, parts/*.yaml, more.yaml]\n");
        texts[1].push_str("include: [second/part.yml, ../people.yaml]\n");
        for (file, text) in texts.iter_mut().enumerate() {
            let entries = self.entries.iter().filter(|entry| entry.file == file);
            let entries = entries.map(|entry| self.written(entry)).collect();
            let named = self.named.iter().enumerate().filter(|(_, (_, _, of))| *of == file);
            let named =
                named.map(|(at, (date, absent, _))| self.named_entry(at, *absent, &until(*date))).collect();
            write_lists(text, &[("users", entries), (self.section(), named)]);
        }
        let [head, first, second] = texts;
        let files = vec![
            ("people.yaml", people),
            ("more.yaml", more),
            ("parts/first.yaml", first),
            ("parts/second/part.yml", second),
        ];
        (head, files)
    }

    fn head(&self) -> &'static str {
        match self.provider {
            ProviderName::Bitpanda => bitpanda::HEAD,
            ProviderName::Hive => hive::HEAD,
            ProviderName::Paradime => paradime::HEAD,
            ProviderName::Rapidapi => rapidapi::HEAD,
        }
    }

    /// Returns the list of which [`Self::named`] are entries.
    fn section(&self) -> &'static str {
        match self.provider {
            ProviderName::Bitpanda | ProviderName::Hive => "keys",
            ProviderName::Paradime => "",
            ProviderName::Rapidapi => "teams",
        }
    }

    fn named_entry(&self, at: usize, absent: bool, until: &str) -> String {
        let rest = match self.section() {
            _ if absent => ", absent: true".to_owned(),
            "keys" => format!(", deliver: {{ file: key{at} }}"),
            _ => String::new(),
        };
        format!("{{ name: name {at}{rest}{until} }}")
    }

    /// Returns an entry as it is written.
    fn written(&self, entry: &Entry) -> String {
        let who = match entry.who {
            Who::Group(group) => format!("group: group {group}"),
            Who::Outsider => "email: outsider@x.example".to_owned(),
            Who::Person(person) if entry.form == 0 => format!("email: {}", self.address(person)),
            Who::Person(person) => format!("email: PERSON{person}@x.example"),
        };
        let absent = if entry.absent { ", absent: true" } else { "" };
        format!("{{ {who}{absent}{}{} }}", self.values(&entry.values), until(entry.until))
    }

    fn values(&self, values: &Values) -> String {
        let mut text = String::new();
        if let Some(roles) = &values.roles {
            let _ =
                write!(text, ", roles: [{}]", joined(roles.iter().map(|(role, date)| dated("role", role, *date))));
        }
        if let Some(teams) = &values.teams {
            let is_map = teams.values().any(|(role, _)| role.is_some());
            let teams = teams.iter().map(|(team, (role, date))| match role {
                Some(role) => format!("{team}: {}", dated("role", role, *date)),
                None => dated("team", team, *date),
            });
            let _ = write!(
                text,
                ", teams: {}",
                if is_map { format!("{{ {} }}", joined(teams)) } else { format!("[{}]", joined(teams)) }
            );
        }
        if let Some(resources) = &values.resources {
            let _ = write!(text, ", resources: {}", resources.text());
        }
        if let Some(flag) = values.flag {
            let _ = match (self.provider, flag) {
                (ProviderName::Rapidapi, true) => write!(text, ", status: active"),
                (ProviderName::Rapidapi, false) => write!(text, ", status: deactivated"),
                (_, flag) => write!(text, ", enabled: {flag}"),
            };
        }
        text
    }

    // The oracle. It asks of every person and every group anew, and knows no dates but one.

    /// Whether a group has a person as a member at a time, or ever.
    fn contains(&self, group: usize, person: usize, now: Option<Timestamp>) -> bool {
        let Group { members, except, .. } = &self.groups[group];
        let is_open = |date: &Date| now.is_none_or(|now| !is_past(*date, now));
        !except.contains(&person)
            && members.iter().filter(|(_, date)| is_open(date)).any(|(who, _)| match who {
                Who::Person(member) => *member == person,
                Who::Group(inner) => self.contains(*inner, person, now),
                Who::Outsider => false,
            })
    }

    /// Whether an entry has ended, by its own date or with its only role.
    fn has_ended(&self, entry: &Entry, now: Timestamp) -> bool {
        let roles = entry.values.roles.iter().flatten();
        let last = !self.has_several_roles()
            && roles.clone().count() > 0
            && roles.clone().all(|(_, date)| is_past(*date, now));
        is_past(entry.until, now) || last
    }

    /// Returns what is left of the values at a time.
    fn at(&self, values: &Values, now: Timestamp) -> Values {
        let mut left = values.clone();
        if let Some(roles) = &mut left.roles {
            roles.retain(|(_, date)| !is_past(*date, now));
            for (_, date) in roles {
                *date = None;
            }
        }
        if let Some(teams) = &mut left.teams {
            let is_there = |team: &str| team != "name 0" || self.is_named(0, now);
            teams.retain(|team, (_, date)| !is_past(*date, now) && is_there(team));
            for (_, date) in teams.values_mut() {
                *date = None;
            }
        }
        left
    }

    /// Whether a key or a team may exist at a time.
    pub fn is_named(&self, at: usize, now: Timestamp) -> bool {
        self.named.get(at).is_none_or(|(date, absent, _)| !absent && !is_past(*date, now))
    }

    /// Returns what the files say of a person, or of the outsider. `None` if groups contradict each other.
    pub fn of_person(&self, person: usize, now: Timestamp) -> Option<Said> {
        if person == PEOPLE {
            let own = self.entries.iter().find(|entry| entry.who == Who::Outsider);
            return Some(match own {
                None => Said::Nothing,
                Some(own) if own.absent || self.has_ended(own, now) => Said::Gone,
                Some(own) => Said::Has(self.at(&own.values, now)),
            });
        }
        let own = self.entries.iter().find(|entry| entry.who == Who::Person(person));
        let grants: Vec<(&Entry, usize)> = self
            .entries
            .iter()
            .filter_map(|entry| if let Who::Group(group) = entry.who { Some((entry, group)) } else { None })
            .filter(|(_, group)| self.contains(*group, person, None))
            .collect();
        let leaves = is_past(self.people[person].until, now);
        let is_here = own.is_some() || !grants.is_empty() || leaves;
        let open: Vec<&Entry> = grants
            .iter()
            .filter(|(entry, group)| self.contains(*group, person, Some(now)) && !self.has_ended(entry, now))
            .map(|(entry, _)| *entry)
            .collect();
        // Once their own entry ends, what groups give has to fit together.
        if own.is_some_and(|own| self.has_ended(own, Timestamp::MAX)) && !open.is_empty() {
            self.sum(&open, now)?;
        }
        Some(match own.filter(|own| !self.has_ended(own, now)) {
            _ if !is_here => Said::Nothing,
            _ if leaves => Said::Gone,
            Some(own) if own.absent => Said::Gone,
            Some(own) => Said::Has(self.at(&own.values, now)),
            None if open.is_empty() => Said::Gone,
            None => {
                let mut left = self.sum(&open, now)?;
                // What was given until a date isn't kept because nothing else is said of it.
                let ended = grants
                    .iter()
                    .map(|(entry, _)| *entry)
                    .filter(|entry| !open.iter().any(|it| std::ptr::eq(*it, *entry)));
                let gave: Vec<&Values> = ended.chain(own).map(|entry| &entry.values).collect();
                let is_without_role = left.roles.is_none() && gave.iter().any(|values| values.roles.is_some());
                if is_without_role && !self.has_several_roles() {
                    return Some(Said::Gone);
                }
                left.roles = left.roles.or_else(|| is_without_role.then(Vec::new));
                if gave.iter().any(|values| values.teams.is_some()) {
                    left.teams.get_or_insert_default();
                }
                if gave.iter().any(|values| values.resources.is_some()) {
                    left.resources.get_or_insert(Tree::Below(BTreeMap::new()));
                }
                Said::Has(left)
            }
        })
    }

    /// Returns everybody's entry, written out for a time. `None` if groups contradict each other.
    fn written_out(&self, now: Timestamp) -> Option<String> {
        let mut users = Vec::new();
        for person in 0..=PEOPLE {
            let email = self.address(person);
            match self.of_person(person, now)? {
                Said::Nothing => {}
                Said::Has(values) => {
                    users.push(format!("{{ email: {email}{}{} }}", self.names(person), self.values(&values)));
                }
                Said::Gone => users.push(format!("{{ email: {email}, absent: true }}")),
            }
        }
        let named = self.named.iter().enumerate();
        let named = named
            .map(|(at, (date, absent, _))| self.named_entry(at, *absent || is_past(*date, now), ""))
            .collect();
        let mut text = self.head().to_owned();
        write_lists(&mut text, &[("users", users), (self.section(), named)]);
        Some(text)
    }

    /// Adds up what groups give. `None` if they contradict each other.
    fn sum(&self, entries: &[&Entry], now: Timestamp) -> Option<Values> {
        let mut sum = Values::default();
        for values in entries.iter().map(|entry| self.at(&entry.values, now)) {
            let Values { roles, teams, resources, flag } = values;
            let names =
                |roles: &[(&'static str, Date)]| roles.iter().map(|(role, _)| *role).collect::<BTreeSet<_>>();
            match (&mut sum.roles, roles) {
                (Some(known), Some(more)) if self.has_several_roles() => {
                    let more: Vec<_> = more.into_iter().filter(|role| !known.contains(role)).collect();
                    known.extend(more);
                }
                (Some(known), Some(more)) if names(known) != names(&more) => return None,
                (Some(_), _) | (_, None) => {}
                (known, more) => *known = more,
            }
            match (&mut sum.teams, teams) {
                (Some(known), Some(more)) => {
                    let is_map =
                        |teams: &BTreeMap<_, (Option<_>, Date)>| teams.values().any(|(role, _)| role.is_some());
                    if !known.is_empty() && !more.is_empty() && is_map(known) != is_map(&more) {
                        return None;
                    }
                    for (team, role) in more {
                        if *known.entry(team).or_insert(role) != role {
                            return None;
                        }
                    }
                }
                (Some(_), None) => {}
                (known, more) => *known = more,
            }
            sum.resources = match (sum.resources, resources) {
                (Some(known), Some(more)) => Some(known.and(more)),
                (known, more) => known.or(more),
            };
            if sum.flag.is_some() && flag.is_some() && sum.flag != flag {
                return None;
            }
            sum.flag = sum.flag.or(flag);
        }
        Some(sum)
    }
}

impl Entry {
    fn new(provider: ProviderName, dice: &mut Dice<'_>) -> Self {
        let who = match dice.pick(5) {
            0 => Who::Person(dice.pick(PEOPLE)),
            4 if dice.one_in(3) => Who::Outsider,
            _ => Who::Group(dice.pick(GROUPS)),
        };
        let absent = !matches!(who, Who::Group(_)) && dice.one_in(5);
        let (until, values) =
            if absent { (None, Values::default()) } else { (dice.date(4), Values::new(provider, dice)) };
        Self { who, form: dice.pick(2), absent, until, values, file: dice.pick(3) }
    }
}

impl Values {
    fn new(provider: ProviderName, dice: &mut Dice<'_>) -> Self {
        let role = |dice: &mut Dice<'_>| match provider {
            ProviderName::Paradime => ["ADMIN", "BUSINESS", "ADMIN"][dice.pick(3)],
            ProviderName::Rapidapi => ["Developer", "Organization Admin", "Developer"][dice.pick(3)],
            _ => ["Red", "Green", "Red"][dice.pick(3)],
        };
        let dated_role = |dice: &mut Dice<'_>| (role(dice), dice.date(3));
        let roles = match provider {
            _ if dice.one_in(4) => None,
            ProviderName::Bitpanda => {
                let roles: BTreeMap<_, _> = dice
                    .several(3, |dice| (["CLUSTER_OPS", "CLUSTER_MANAGER", "SIGNER"][dice.pick(3)], dice.date(3)))
                    .into_iter()
                    .collect();
                Some(roles.into_iter().collect())
            }
            ProviderName::Rapidapi => Some(dice.several(1, dated_role)),
            ProviderName::Hive | ProviderName::Paradime => Some(vec![dated_role(dice)]),
        };
        let is_rapidapi = provider == ProviderName::Rapidapi;
        let teams = is_rapidapi && !dice.one_in(3);
        let teams = teams.then(|| {
            let with_roles = dice.one_in(3);
            let team = |dice: &mut Dice<'_>| {
                let role = with_roles.then(|| ["Team Admin", "Team Viewer", "Team Admin"][dice.pick(3)]);
                (["Shop", "Bank", "Post"][dice.pick(3)], (role, dice.date(3)))
            };
            let first = team(dice);
            dice.several(2, team).into_iter().chain([first]).collect()
        });
        let resources = (provider == ProviderName::Hive && !dice.one_in(3)).then(|| Tree::new(dice, 0));
        let has_flag = is_rapidapi || provider == ProviderName::Bitpanda;
        let flag = (has_flag && !dice.one_in(4)).then(|| !dice.one_in(8));
        Self { roles, teams, resources, flag }
    }

    /// Returns the roles, and the teams as `team/NAME`. `None` if the entry says nothing of roles or of teams.
    pub fn grants(&self) -> (Option<BTreeSet<String>>, Option<BTreeSet<String>>) {
        let roles = self.roles.as_ref().map(|roles| roles.iter().map(|(role, _)| (*role).to_owned()).collect());
        let teams = self.teams.as_ref().map(|teams| teams.keys().map(|team| format!("team/{team}")).collect());
        (roles, teams)
    }
}

impl Tree {
    fn new(dice: &mut Dice<'_>, depth: usize) -> Self {
        if dice.one_in(4) {
            return Self::All;
        }
        let names = [["shop", "bank"], ["production", "staging"], ["cart", "stock"]][depth];
        if depth == 2 {
            return Self::Services(dice.several(2, |dice| names[dice.pick(2)]).into_iter().collect());
        }
        Self::Below(
            dice.several(2, |dice| (names[dice.pick(2)], Self::new(dice, depth + 1))).into_iter().collect(),
        )
    }

    fn text(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Below(below) => {
                let below = below.iter().map(|(name, tree)| match tree {
                    Self::Services(services) => format!("{name}: {{ services: [{}] }}", joined(services.iter())),
                    tree => format!("{name}: {}", tree.text()),
                });
                format!("{{ {} }}", joined(below))
            }
            Self::Services(_) => unreachable!(),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Below(mut one), Self::Below(other)) => {
                for (name, tree) in other {
                    let sum = match one.remove(name) {
                        Some(known) => known.and(tree),
                        None => tree,
                    };
                    one.insert(name, sum);
                }
                Self::Below(one)
            }
            (Self::Services(one), Self::Services(other)) => Self::Services(&one | &other),
            _ => Self::All,
        }
    }
}

fn joined<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn until(date: Date) -> String {
    date.map(|date| format!(", until: {}", TIMES[date].0)).unwrap_or_default()
}

fn dated(field: &str, name: &str, date: Date) -> String {
    if date.is_some() { format!("{{ {field}: {name}{} }}", until(date)) } else { name.to_owned() }
}

fn write_lists(text: &mut String, lists: &[(&str, Vec<String>)]) {
    for (name, entries) in lists.iter().filter(|(name, entries)| !name.is_empty() && !entries.is_empty()) {
        let _ = writeln!(text, "{name}:");
        for entry in entries {
            let _ = writeln!(text, "  - {entry}");
        }
    }
}

/// Returns everything that a file asks for, without places and the case of addresses.
pub fn meaning(desired: &Desired) -> (Value, Vec<Vec<Delivery>>) {
    let Desired { users, keys, teams, roles, .. } = desired;
    let deliveries = keys.iter().map(|key| key.deliver.iter().map(|to| to.value.clone()).collect()).collect();
    let mut users = serde_json::to_value(users).unwrap();
    for user in users.as_array_mut().unwrap() {
        user["email"] = user["email"].as_str().unwrap().to_lowercase().into();
    }
    (serde_json::json!({ "users": users, "keys": keys, "teams": teams, "roles": roles }), deliveries)
}

pub fn only(loaded: &Loaded) -> Option<&Desired> {
    loaded.files[0].desired.as_ref()
}

/// Returns the times at which something ends, and a second before each.
pub fn times() -> BTreeSet<Timestamp> {
    let ends = (0..TIMES.len()).map(instant);
    ends.flat_map(|end| [end - SignedDuration::from_secs(1), end]).collect()
}

/// Groups, parts and dates mean the same as the entries that the oracle writes out, at any time.
fn what_is_written_out_is_the_same(provider: ProviderName, bytes: &[u8]) -> Law {
    let organization = Organization::new(provider, bytes);
    let (head, files) = organization.files();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let shown = || {
        std::iter::once(("x.yaml", head.as_str()))
            .chain(files.iter().copied())
            .map(|(path, text)| format!("# {path}\n{text}"))
            .collect::<Vec<_>>()
            .concat()
    };
    let mut before: Option<(Timestamp, Desired)> = None;
    for now in times() {
        let resolved = loaded(&head, &files, now);
        let Some(written_out) = organization.written_out(now) else {
            let codes: BTreeSet<Code> = resolved.findings.iter().map(|finding| finding.code).collect();
            prop_assert_eq!(codes, BTreeSet::from([Code::GroupConflict]), "at {}\n{}", now, shown());
            before = None;
            continue;
        };
        prop_assert!(resolved.findings.is_empty(), "at {now} {:#?}\n{}", resolved.findings, shown());
        let oracle = loaded(&written_out, &[], Timestamp::MIN);
        prop_assert!(oracle.findings.is_empty(), "{:#?}\n{}", oracle.findings, written_out);
        let (resolved, oracle) = (only(&resolved).unwrap(), only(&oracle).unwrap());
        prop_assert_eq!(meaning(resolved), meaning(oracle), "at {}\n{}\n{}", now, shown(), written_out);
        if let Some((then, earlier)) = &before {
            every_end_is_told((*then, earlier), (now, resolved))
                .map_err(|error| TestCaseError::fail(format!("{error}\n{}", shown())))?;
        }
        before = Some((now, resolved.clone()));
    }
    Ok(())
}

/// If the files ask for something else at a later time, an earlier run tells that something ends there.
fn every_end_is_told((then, earlier): (Timestamp, &Desired), (now, later): (Timestamp, &Desired)) -> Law {
    let users = |desired: &Desired| -> BTreeMap<Address, Value> {
        let users = desired.users.iter();
        users.map(|user| (Address::user(&user.email), serde_json::to_value(user).unwrap())).collect()
    };
    let (one, other) = (users(earlier), users(later));
    prop_assert!(one.keys().all(|address| other.contains_key(address)), "everybody who is listed stays listed");
    for (address, later) in &other {
        // A team that ends takes its members along.
        let is_theirs = |ending: &&Ending| ending.address == *address || ending.address.kind == Kind::Team;
        let mut endings = earlier.endings.iter().filter(is_theirs);
        let is_told = endings.any(|ending| then < ending.until.instant() && ending.until.instant() <= now);
        prop_assert!(
            one.get(address) == Some(later) || is_told,
            "nothing tells that the access of {} ends",
            address
        );
    }
    Ok(())
}

pub fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..300)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn groups_parts_and_dates_mean_what_is_written_out(at in 0..ProviderName::ALL.len(), bytes in bytes()) {
        what_is_written_out_is_the_same(ProviderName::ALL[at], &bytes)?;
    }
}

/// Checks that the generated organisations have what the law is about.
#[test]
fn the_generated_organizations_have_something_to_say() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for case in 0..400 {
        let bytes = bytes().new_tree(&mut runner).unwrap().current();
        let organization = Organization::new(ProviderName::ALL[case % ProviderName::ALL.len()], &bytes);
        let written: Vec<Option<String>> = times().iter().map(|now| organization.written_out(*now)).collect();
        let is_own = |entry: &&Entry| matches!(entry.who, Who::Person(_));
        let replaces = organization.entries.iter().filter(is_own).any(|own| {
            let Who::Person(person) = own.who else { return false };
            let mut others = organization.entries.iter();
            others
                .any(|other| matches!(other.who, Who::Group(group) if organization.contains(group, person, None)))
        });
        for (what, is) in [
            ("a conflict", written.iter().any(Option::is_none)),
            ("a change in time", written.iter().flatten().collect::<BTreeSet<_>>().len() > 1),
            (
                "access by two groups",
                organization.entries.iter().filter(|entry| matches!(entry.who, Who::Group(_))).count() > 2,
            ),
            ("an entry that replaces groups", replaces),
        ] {
            *seen.entry(what).or_default() += usize::from(is);
        }
    }
    assert!(seen.len() == 4 && seen.values().all(|count| *count >= 40), "{seen:#?}");
}
