//! Changes to a schema, each with the consequence that the comparison has to find.

use std::collections::BTreeSet;

use apollo_compiler::ast::{DirectiveList, EnumValueDefinition, FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::schema::{Component, ExtendedType};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Node, Schema};
use rolecall_providers::schema::Impact;

use super::usage::{FieldUse, Root, Usage};

/// A change to the API of a platform.
pub struct Change {
    pub name: String,
    pub schema: Valid<Schema>,
    /// The change to the answers.
    pub answers: Option<Answers>,
    /// The worst consequence, or `None` if the schema that rolecall uses stays the same.
    pub impact: Option<Impact>,
    /// Whether rolecall sends other documents to such a server.
    pub fallback: bool,
}

/// A change to the values of a field in answers.
#[derive(Clone)]
pub struct Answers {
    pub on: String,
    pub field: String,
    pub how: How,
    /// Changes only this value of an answer, and not all.
    pub only: Option<usize>,
}

#[derive(Clone)]
pub enum How {
    Null,
    /// A Boolean or a number becomes a text.
    Text,
    /// A text becomes a number.
    Number,
    /// A list becomes its first item.
    First,
    /// A value becomes a list.
    List,
    Value(&'static str),
}

/// All values of an answer, or one of the first three.
const ONE_OR_ALL: &[Option<usize>] = &[None, Some(0), Some(1), Some(2)];

fn shown(only: Option<usize>) -> String {
    only.map_or_else(String::new, |place| format!(" once, at place {place}"))
}

/// The value that no schema has.
pub const UNKNOWN: &str = "NEVER_HEARD_OF";

pub struct Changes<'a> {
    schema: &'a Valid<Schema>,
    usage: &'a Usage,
    /// What rolecall can do without, as `Type.field`.
    optional: &'a [&'a str],
    /// Whether rolecall sends other documents to a server with the next change.
    fallback: bool,
    /// The number of changes, and the distance between those that are made.
    count: usize,
    every: usize,
    made: Vec<Change>,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn broken_by(roots: &BTreeSet<Root>) -> Impact {
    let mutations: BTreeSet<String> = roots.iter().flatten().cloned().collect();
    if roots.contains(&None) { Impact::Reading } else { Impact::Mutations(mutations) }
}

/// Returns the consequence of something new that rolecall doesn't send.
fn unsent(roots: &BTreeSet<Root>, required: bool) -> Impact {
    if required {
        broken_by(roots)
    } else if roots.iter().any(Option::is_some) {
        Impact::ToBeChecked
    } else {
        Impact::Harmless
    }
}

fn is_text(kind: &str) -> bool {
    !matches!(kind, "Int" | "Float" | "Boolean")
}

/// Returns a type with another name inside.
fn renamed(kind: &Type, to: &str) -> Type {
    match kind {
        Type::Named(_) => Type::Named(name(to)),
        Type::NonNullNamed(_) => Type::NonNullNamed(name(to)),
        Type::List(inner) => Type::List(Box::new(renamed(inner, to))),
        Type::NonNullList(inner) => Type::NonNullList(Box::new(renamed(inner, to))),
    }
}

fn input(named: &str, kind: Type) -> InputValueDefinition {
    InputValueDefinition {
        description: None,
        name: name(named),
        ty: Node::new(kind),
        default_value: None,
        directives: DirectiveList::default(),
    }
}

fn text() -> Type {
    Type::Named(name("String"))
}

impl<'a> Changes<'a> {
    /// Returns changes to a schema, evenly chosen: at most this many, or all.
    pub fn of(schema: &'a Valid<Schema>, usage: &'a Usage, optional: &'a [&'a str], most: usize) -> Vec<Change> {
        let all = |every| {
            let mut changes = Self { schema, usage, optional, fallback: false, count: 0, every, made: Vec::new() };
            changes.make();
            changes
        };
        let count = all(usize::MAX).count;
        all(count.div_ceil(most)).made
    }

    fn make(&mut self) {
        let usage = self.usage;
        for ((on, field), used) in &usage.fields {
            self.field(on, field, used);
        }
        for ((on, field), used) in &usage.inputs {
            if used.sent_by.is_empty() {
                continue;
            }
            let is_optional = self.optional.contains(&&*format!("{on}.{field}"));
            let gone = if is_optional { Impact::Harmless } else { broken_by(&used.sent_by) };
            self.input(on, &format!("{on}.{field} is gone"), Some(gone), |input| {
                input.fields.shift_remove(field.as_str());
            });
            let kind = self.schema.get_input_object(on).unwrap().fields[field.as_str()].ty.as_ref().clone();
            if !kind.is_non_null() && !self.schema.get_input_object(on).unwrap().directives.has("oneOf") {
                let breaks = (!used.left_out_by.is_empty()).then(|| broken_by(&used.left_out_by));
                self.input(on, &format!("{on}.{field} is required"), breaks, |input| {
                    input.fields[field.as_str()].make_mut().ty = Node::new(kind.clone().non_null());
                });
            }
        }
        self.inputs();
        self.enums();
        self.types();
    }

    /// Adds a change, if the result is a schema.
    fn add(
        &mut self,
        named: String,
        impact: Option<Impact>,
        answers: Option<Answers>,
        edit: impl FnOnce(&mut Schema),
    ) {
        let fallback = std::mem::take(&mut self.fallback);
        self.count += 1;
        if !self.count.is_multiple_of(self.every) {
            return;
        }
        let mut schema = self.schema.clone().into_inner();
        edit(&mut schema);
        let Ok(schema) = Schema::parse_and_validate(schema.to_string(), "changed") else { return };
        self.made.push(Change { name: named, schema, answers, impact, fallback });
    }

    #[expect(clippy::needless_pass_by_value, reason = "the callers read better")]
    fn on_field(
        &mut self,
        (on, field): (&str, &str),
        what: &str,
        impact: Option<Impact>,
        how: Option<How>,
        edit: impl Fn(&mut FieldDefinition),
    ) {
        let some = if how.is_some() { ONE_OR_ALL } else { &ONE_OR_ALL[..1] };
        for only in some.iter().copied() {
            let answers = how.clone().map(|how| Answers { on: on.to_owned(), field: field.to_owned(), how, only });
            self.add(format!("{on}.{field} {what}{}", shown(only)), impact.clone(), answers, |schema| {
                let ExtendedType::Object(object) = &mut schema.types[on] else { panic!("{on}") };
                edit(object.make_mut().fields[field].make_mut());
            });
        }
    }

    fn field(&mut self, on: &str, field: &str, used: &FieldUse) {
        let broken = broken_by(&used.roots);
        let is_optional = used.optional || self.optional.contains(&&*format!("{on}.{field}"));
        let gone = if is_optional { Impact::Harmless } else { broken.clone() };
        self.fallback = is_optional;
        self.add(format!("{on}.{field} is gone"), Some(gone), None, |schema| {
            let ExtendedType::Object(object) = &mut schema.types[on] else { panic!("{on}") };
            object.make_mut().fields.shift_remove(field);
        });
        let definition = &self.schema.get_object(on).unwrap().fields[field];
        let (kind, arguments) = (definition.ty.clone(), definition.arguments.clone());
        let place = (on, field);
        let inner = kind.inner_named_type().to_string();
        let is_object = matches!(self.schema.types[inner.as_str()], ExtendedType::Object(_));
        let is_enum = matches!(self.schema.types[inner.as_str()], ExtendedType::Enum(_));
        if kind.is_list() {
            self.on_field(place, "is no list", Some(broken.clone()), Some(How::First), |it| {
                it.ty = it.ty.item_type().clone();
            });
        } else {
            self.on_field(place, "is a list", Some(broken.clone()), Some(How::List), |it| {
                it.ty = Type::List(Box::new(it.ty.clone()));
            });
        }
        if kind.is_non_null() {
            self.on_field(place, "may be null", Some(Impact::ToBeChecked), Some(How::Null), |it| {
                it.ty = it.ty.clone().nullable();
            });
        } else if on != "Mutation" {
            self.on_field(place, "is null", None, Some(How::Null), |_| {});
            self.on_field(place, "is never null", None, None, |it| it.ty = it.ty.clone().non_null());
        }
        if is_enum {
            let check = Some(Impact::ToBeChecked);
            self.on_field(place, "is a text", check, Some(How::Value("Another")), |it| {
                it.ty = renamed(&it.ty, "String");
            });
        } else if !is_object {
            let (to, how) = match &*inner {
                "Boolean" | "Int" => ("String", Some(How::Text)),
                "String" => ("ID", None),
                _ => ("String", None),
            };
            let impact = if is_text(&inner) { Impact::ToBeChecked } else { broken.clone() };
            self.on_field(place, &format!("is of the type {to}"), Some(impact), how, |it| {
                it.ty = renamed(&it.ty, to);
            });
            if is_text(&inner) {
                self.on_field(place, "is a number", Some(broken.clone()), Some(How::Number), |it| {
                    it.ty = renamed(&it.ty, "Int");
                });
            }
        }
        for (argument, roots) in &used.arguments {
            let breaks = broken_by(roots);
            let optional = self.optional.contains(&&*format!("{on}.{field}({argument})"));
            let gone = if optional { Impact::Harmless } else { breaks.clone() };
            self.fallback = optional;
            self.on_field(place, &format!("has no argument {argument}"), Some(gone), None, |it| {
                it.arguments.retain(|it| it.name != argument.as_str());
            });
            let declared = arguments.iter().find(|it| it.name == argument.as_str()).unwrap();
            if !matches!(self.schema.types[declared.ty.inner_named_type()], ExtendedType::InputObject(_)) {
                let to = if *declared.ty.inner_named_type() == "Float" { "Int" } else { "Float" };
                self.on_field(place, &format!("has another type of {argument}"), Some(breaks), None, |it| {
                    let it = it.arguments.iter_mut().find(|it| it.name == argument.as_str()).unwrap();
                    let it = it.make_mut();
                    it.ty = Node::new(renamed(&it.ty, to));
                });
            }
        }
        if !arguments.is_empty() || on == "Mutation" || on == "Query" {
            for (required, what) in [(true, "requires another argument"), (false, "takes another argument")] {
                let impact = Some(unsent(&used.roots, required));
                self.on_field(place, what, impact, None, |it| {
                    let kind = if required { text().non_null() } else { text() };
                    it.arguments.push(Node::new(input("another", kind)));
                });
            }
        }
    }

    fn input(
        &mut self,
        on: &str,
        named: &str,
        impact: Option<Impact>,
        edit: impl Fn(&mut apollo_compiler::schema::InputObjectType),
    ) {
        self.fallback = self.optional.iter().any(|it| named.starts_with(it));
        self.add(named.to_owned(), impact, None, |schema| {
            let ExtendedType::InputObject(input) = &mut schema.types[on] else { panic!("{on}") };
            edit(input.make_mut());
        });
    }

    /// Adds fields to inputs.
    fn inputs(&mut self) {
        let names: BTreeSet<&String> = self.usage.inputs.keys().map(|(on, _)| on).collect();
        for on in names {
            if self.schema.get_input_object(on).unwrap().directives.has("oneOf") {
                continue;
            }
            let used = self.usage.inputs.iter().filter(|((name, _), _)| name == on);
            let roots: BTreeSet<Root> =
                used.flat_map(|(_, it)| it.sent_by.union(&it.left_out_by)).cloned().collect();
            for (required, what) in [(true, "requires another field"), (false, "has another field")] {
                self.input(on, &format!("{on} {what}"), Some(unsent(&roots, required)), |it| {
                    let kind = if required { text().non_null() } else { text() };
                    it.fields.insert(name("another"), Component::new(input("another", kind)));
                });
            }
        }
    }

    /// Adds values to enums, and removes values.
    fn enums(&mut self) {
        let enums: BTreeSet<&String> = self.usage.shown_enums.iter().chain(self.usage.sent_enums.keys()).collect();
        for on in enums {
            let is_shown = self.usage.shown_enums.contains(on);
            let sent = self.usage.sent_enums.get(on).cloned().unwrap_or_default();
            let at: Vec<(String, String)> = self
                .usage
                .fields
                .keys()
                .filter(|(of, field)| {
                    self.schema.get_object(of).unwrap().fields[field.as_str()].ty.inner_named_type() == on.as_str()
                })
                .cloned()
                .collect();
            let impact = if is_shown { Impact::ToBeChecked } else { Impact::Harmless };
            let answers = at.into_iter().flat_map(|(on, field)| {
                ONE_OR_ALL.iter().copied().map(move |only| {
                    Some(Answers { on: on.clone(), field: field.clone(), how: How::Value(UNKNOWN), only })
                })
            });
            for answers in answers.chain([None]) {
                let place = answers.as_ref().map(|it| format!(" at {}.{}{}", it.on, it.field, shown(it.only)));
                let named = format!("{on} has a new value{}", place.unwrap_or_default());
                self.add(named, Some(impact.clone()), answers, |schema| {
                    let ExtendedType::Enum(it) = &mut schema.types[on.as_str()] else { panic!("{on}") };
                    let value = EnumValueDefinition {
                        description: None,
                        value: name(UNKNOWN),
                        directives: DirectiveList::default(),
                    };
                    it.make_mut().values.insert(name(UNKNOWN), Component::new(value));
                });
            }
            let ExtendedType::Enum(known) = &self.schema.types[on.as_str()] else { panic!("{on}") };
            let values: Vec<String> = known.values.keys().map(ToString::to_string).collect();
            for value in &values {
                let impact = match () {
                    () if sent.iter().any(Option::is_some) => {
                        broken_by(&sent.iter().filter(|root| root.is_some()).cloned().collect())
                    }
                    () if !sent.is_empty() => Impact::ToBeChecked,
                    () => Impact::Harmless,
                };
                self.add(format!("{on}.{value} is gone"), Some(impact), None, |schema| {
                    let ExtendedType::Enum(it) = &mut schema.types[on.as_str()] else { panic!("{on}") };
                    it.make_mut().values.shift_remove(value.as_str());
                });
            }
        }
    }

    /// Renames types, and adds fields to types.
    fn types(&mut self) {
        let mut kinds: BTreeSet<String> = self.usage.fields.keys().map(|(on, _)| on.clone()).collect();
        for on in &kinds {
            self.add(format!("{on} has another field"), Some(Impact::Harmless), None, |schema| {
                let ExtendedType::Object(object) = &mut schema.types[on.as_str()] else { panic!("{on}") };
                let field = FieldDefinition {
                    description: None,
                    name: name("another"),
                    arguments: Vec::new(),
                    ty: text(),
                    directives: DirectiveList::default(),
                };
                object.make_mut().fields.insert(name("another"), Component::new(field));
            });
        }
        kinds.extend(self.usage.inputs.keys().map(|(on, _)| on.clone()));
        kinds.extend(self.usage.shown_enums.iter().cloned());
        kinds.extend(self.usage.sent_enums.keys().cloned());
        for on in kinds.iter().filter(|on| !["Query", "Mutation"].contains(&on.as_str())) {
            let impact = self.usage.named.get(on).map(broken_by);
            self.add(format!("{on} has another name"), impact, None, |schema| rename(schema, on));
        }
    }
}

/// Gives a type another name.
fn rename(schema: &mut Schema, on: &str) {
    let to = format!("Renamed{on}");
    let kind = |kind: &Type| if kind.inner_named_type() == on { renamed(kind, &to) } else { kind.clone() };
    for definition in schema.types.values_mut() {
        match definition {
            ExtendedType::Object(object) => {
                for field in object.make_mut().fields.values_mut() {
                    let field = field.make_mut();
                    field.ty = kind(&field.ty);
                    for argument in &mut field.arguments {
                        let argument = argument.make_mut();
                        argument.ty = Node::new(kind(&argument.ty));
                    }
                }
            }
            ExtendedType::InputObject(input) => {
                for field in input.make_mut().fields.values_mut() {
                    let field = field.make_mut();
                    field.ty = Node::new(kind(&field.ty));
                }
            }
            _ => {}
        }
    }
    let mut definition = schema.types.shift_remove(on).unwrap();
    match &mut definition {
        ExtendedType::Object(it) => it.make_mut().name = name(&to),
        ExtendedType::InputObject(it) => it.make_mut().name = name(&to),
        ExtendedType::Enum(it) => it.make_mut().name = name(&to),
        _ => panic!("{on}"),
    }
    schema.types.insert(name(&to), definition);
}
