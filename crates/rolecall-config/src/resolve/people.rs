//! People files: the people of a company, and the groups that they are in.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::super::check::email;
use super::super::decode::decode;
use super::super::field::Field;
use super::super::node::Located;
use super::super::raw::{EmailText, LineText, NameText, UntilText};
use super::super::source::{Mark, Sources};
use super::directory::{Filled, RawDirectory};
use super::entries::{Date, note, until};
use rolecall_model::{Code, Email, Finding, PeopleDirectory, ProviderName, check_name, quote};

/// This file lists people and the groups that they are in. Organisation files include it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "People", deny_unknown_fields)]
#[schemars(extend("patternProperties" = { "^x-": true }))]
pub struct RawPeople {
    /// This field says that the file lists people.
    #[expect(dead_code, reason = "read before the rest, to choose this type")]
    kind: Field<RawKind>,
    /// This list has every person once. A mapping says from which directory they come. Default: nobody.
    #[serde(default)]
    #[schemars(schema_with = "people_schema")]
    people: Option<Field<Vec<Field<RawPerson>>>>,
    /// This list has the groups. An organisation file gives a group roles with `group:` under `users`. Default: none.
    groups: Option<Field<Vec<Field<RawGroup>>>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum RawKind {
    People,
}

/// This entry describes one person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Person", deny_unknown_fields)]
pub struct RawPerson {
    /// This address identifies the person in all files that include this one.
    email: Field<EmailText>,
    /// This is the first name, for platforms whose entries have one. Default: none.
    first_name: Option<Field<NameText>>,
    /// This is the last name, for platforms whose entries have one. Default: none.
    last_name: Option<Field<NameText>>,
    /// This is the phone number, in quotes, for platforms whose entries have one. Default: none.
    phone: Option<Field<NameText>>,
    /// These are the addresses of the person on single platforms, such as `{ hive: jane.d@acme.example }`. Default: the
    /// same address everywhere.
    #[serde(default)]
    #[schemars(schema_with = "aliases_schema")]
    aliases: Option<Field<BTreeMap<ProviderName, Field<EmailText>>>>,
    /// The person has access until this time: a last day in UTC, or an instant. After it, they must have no access
    /// anywhere. Default: forever.
    until: Option<Field<UntilText>>,
    /// This text is shown with the person in plans, comments and reports of access. Default: none.
    #[schemars(with = "Option<LineText>")]
    note: Option<Field<NameText>>,
}

fn people_schema(generator: &mut SchemaGenerator) -> Schema {
    let person = generator.subschema_for::<RawPerson>();
    let directory = generator.subschema_for::<RawDirectory>();
    json_schema!({ "anyOf": [{ "type": "array", "items": person }, directory, { "type": "null" }] })
}

fn aliases_schema(generator: &mut SchemaGenerator) -> Schema {
    let providers: Vec<&str> = ProviderName::ALL.iter().map(|provider| provider.as_str()).collect();
    let address = generator.subschema_for::<EmailText>();
    json_schema!({ "type": "object", "propertyNames": { "enum": providers }, "additionalProperties": address })
}

/// This entry describes one group of people.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Group", deny_unknown_fields)]
struct RawGroup {
    /// This is the group's name.
    name: Field<NameText>,
    /// These are the members: people by their addresses, and other groups. Default: nobody.
    members: Option<Field<Vec<Field<RawMember>>>>,
    /// These people aren't members, even if another group contains them. Default: nobody.
    except: Option<Field<Vec<Field<EmailText>>>>,
    /// This text is shown in plans, comments and reports of access with each member whose access the group gives.
    /// Default: none.
    #[schemars(with = "Option<LineText>")]
    note: Option<Field<NameText>>,
}

/// A member of a group: a person or another group.
#[derive(Clone, Debug)]
enum RawMember {
    Person(String),
    Membership(RawMembership),
}

/// This mapping names a person or another group, and the end of the membership.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Membership", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["person"] }, { "required": ["group"] }]))]
struct RawMembership {
    /// This is the address of a person.
    person: Option<Field<EmailText>>,
    /// This is the name of another group, whose members are members of this group too.
    group: Option<Field<NameText>>,
    /// The membership ends at this time: a last day in UTC, or an instant. Default: never.
    until: Option<Field<UntilText>>,
}

impl<'de> Deserialize<'de> for RawMember {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MemberVisitor;

        impl<'de> Visitor<'de> for MemberVisitor {
            type Value = RawMember;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address, { person: ADDRESS } or { group: NAME }")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawMember, E> {
                Ok(RawMember::Person(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawMember, A::Error> {
                RawMembership::deserialize(MapAccessDeserializer::new(map)).map(RawMember::Membership)
            }
        }

        deserializer.deserialize_any(MemberVisitor)
    }
}

impl JsonSchema for RawMember {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Member".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (address, membership) =
            (generator.subschema_for::<EmailText>(), generator.subschema_for::<RawMembership>());
        json_schema!({ "description": "This is a person, by their address, or another group.", "anyOf": [address, membership] })
    }
}

/// A checked people file.
#[derive(Debug, Default)]
pub struct PeopleFile {
    pub people: Vec<Person>,
    pub groups: Vec<Group>,
    /// The directory that the people come from.
    pub directory: Option<PeopleDirectory>,
    /// The number of the file that the people come from.
    pub data: Option<u32>,
}

#[derive(Debug)]
pub struct Person {
    pub email: Email,
    pub mark: Mark,
    /// The names and the phone number, by the fields of a user's entry.
    pub fields: Vec<(&'static str, Located)>,
    pub aliases: BTreeMap<ProviderName, Email>,
    pub until: Option<Date>,
    pub note: Option<String>,
    /// True if the person has left the directory.
    pub left: bool,
}

impl Person {
    /// Creates a person of whom only the address is known.
    pub fn new(email: Email, mark: Mark) -> Self {
        Self { email, mark, fields: Vec::new(), aliases: BTreeMap::new(), until: None, note: None, left: false }
    }

    /// Returns the address of the person on a platform.
    pub fn email_on(&self, provider: ProviderName) -> &Email {
        self.aliases.get(&provider).unwrap_or(&self.email)
    }
}

#[derive(Debug)]
pub struct Group {
    pub name: String,
    pub mark: Mark,
    pub members: Vec<Member>,
    /// The addresses that aren't members, in the form that is compared.
    pub except: Vec<(Email, Mark)>,
    pub note: Option<String>,
}

impl Group {
    /// Returns the people whom the group names as members.
    pub fn people(&self) -> impl Iterator<Item = (&Email, Mark)> {
        self.members.iter().filter_map(|member| match &member.of {
            MemberOf::Person(email) => Some((email, member.mark)),
            MemberOf::Group(_) => None,
        })
    }

    /// Returns the people whom the group names, as members or as exceptions.
    pub fn named(&self) -> impl Iterator<Item = (&Email, Mark)> {
        self.people().chain(self.except.iter().map(|(email, mark)| (email, *mark)))
    }
}

#[derive(Debug)]
pub struct Member {
    pub of: MemberOf,
    pub mark: Mark,
    pub until: Option<Date>,
}

#[derive(Debug)]
pub enum MemberOf {
    Person(Email),
    Group(String),
}

/// Checks a people file. Entries with an error are left out.
pub fn check(
    root: &Located,
    filled: Option<Filled>,
    sources: Sources<'_>,
    findings: &mut Vec<Finding>,
) -> PeopleFile {
    let Some(RawPeople { kind: _, people, groups }) = decode::<RawPeople>(sources, root, findings) else {
        return PeopleFile::default();
    };
    let mut check = Check { sources, findings };
    let mut people: Vec<Person> = values(people).filter_map(|(raw, _)| check.person(raw)).collect();
    let groups = values(groups).filter_map(|(raw, _)| check.group(raw)).collect();
    let Some(Filled { directory, file: data, left }) = filled else {
        return PeopleFile { people, groups, directory: None, data: None };
    };
    for person in &mut people {
        person.left = left.contains(&person.email);
    }
    PeopleFile { people, groups, directory: Some(directory), data }
}

/// Returns the decoded values of a list, each with its place.
fn values<T>(list: Option<Field<Vec<Field<T>>>>) -> impl Iterator<Item = (T, Mark)> {
    let items = list.and_then(|field| field.value).unwrap_or_default();
    items.into_iter().filter_map(|Field { mark, value }| Some((value?, mark)))
}

struct Check<'a> {
    sources: Sources<'a>,
    findings: &'a mut Vec<Finding>,
}

impl Check<'_> {
    fn person(&mut self, raw: RawPerson) -> Option<Person> {
        let RawPerson { email, first_name, last_name, phone, aliases, until: ends, note: text } = raw;
        let mark = email.mark;
        let email = self.email(email);
        let named = [("first_name", first_name), ("last_name", last_name), ("phone", phone)];
        let fields = named.into_iter().filter_map(|(name, field)| {
            let Field { mark, value: Some(NameText(text)) } = field? else { return None };
            if let Err(why) = check_name(&text) {
                let message = format!("{} {why}.", quote(&text));
                self.findings.push(Finding::error(Code::InvalidValue, self.sources.place(mark), message));
                return None;
            }
            Some((name, Located::of_text(text, mark)))
        });
        let fields = fields.collect();
        let aliases = aliases.and_then(|field| field.value).unwrap_or_default();
        let aliases =
            aliases.into_iter().filter_map(|(provider, address)| Some((provider, self.email(address)?))).collect();
        let until = ends.and_then(|field| until(field, self.sources, self.findings));
        let note = text.and_then(|field| note(field, self.sources, self.findings));
        Some(Person { email: email?, mark, fields, aliases, until, note, left: false })
    }

    fn group(&mut self, raw: RawGroup) -> Option<Group> {
        let RawGroup { name, members, except, note: text } = raw;
        let mark = name.mark;
        let members = values(members).filter_map(|(raw, mark)| self.member(raw, mark)).collect();
        let except = except.and_then(|field| field.value).unwrap_or_default();
        let except = except.into_iter().filter_map(|field| Some((field.mark, self.email(field)?)));
        let except = except.map(|(mark, email)| (email, mark)).collect();
        let note = text.and_then(|field| note(field, self.sources, self.findings));
        let NameText(name) = name.value?;
        Some(Group { name: name.into(), mark, members, except, note })
    }

    fn member(&mut self, raw: RawMember, mark: Mark) -> Option<Member> {
        let RawMembership { person, group, until: ends } = match raw {
            RawMember::Person(text) => {
                let person = self.email(Field { mark, value: Some(EmailText(text)) })?;
                return Some(Member { of: MemberOf::Person(person), mark, until: None });
            }
            RawMember::Membership(membership) => membership,
        };
        let until = ends.and_then(|field| until(field, self.sources, self.findings));
        let (of, mark) = match (person, group) {
            (Some(person), None) => {
                let mark = person.mark;
                (MemberOf::Person(self.email(person)?), mark)
            }
            (None, Some(group)) => (MemberOf::Group(group.value?.0.into()), group.mark),
            (None, None) | (Some(_), Some(_)) => {
                let message = "A member is either a person or a group.";
                let finding = Finding::error(Code::InvalidValue, self.sources.place(mark), message);
                self.findings.push(finding.hint("Write `{ person: ADDRESS }` or `{ group: NAME }`."));
                return None;
            }
        };
        Some(Member { of, mark, until })
    }

    fn email(&mut self, field: Field<EmailText>) -> Option<Email> {
        email(field, self.sources, self.findings)
    }
}
