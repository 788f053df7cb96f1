//! Compares the schema of a platform with the parts of it that rolecall was built for, by name.
//!
//! For example, the platform renames the field `email` of users. Then no read works, and the difference says why:
//! `OrganisationUser.email` is gone, and breaks reading. If it adds an input `nickname` to an update that replaces the
//! whole record, an update without it might clear it. That is a difference to be checked.

mod introspected;
mod used;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Provider, ReadError};
use introspected::{Found, Introspection, Part, Schema, Search};
use rolecall_graphql::{Context, Query, Reader};
pub(crate) use used::new_inputs;
use used::{Leaf, Line, Path, Root, Shape, condition, lines};

/// Asks for the schema of a platform.
pub const QUERY: Query = Query::new("SchemaInUse", include_str!("schema.graphql"));

/// The parts of a platform's schema that rolecall uses, as text. Tests write them.
#[derive(Clone, Copy, Debug)]
pub struct UsedSchema {
    /// One text for each generation of the schema that rolecall supports, the newest last.
    pub generations: &'static [&'static str],
    /// The credential that may ask for the schema.
    pub context: Context,
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaReport {
    Compared(Vec<Difference>),
    /// The platform doesn't show its schema, so nobody knows.
    NotShown,
}

/// A difference between the schema of a platform and the one that rolecall was built for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub impact: Impact,
    /// The part of the schema, as the platform calls it, such as `Organization.members(first)`.
    pub name: String,
    pub kind: DifferenceKind,
    /// A full sentence for the user.
    pub note: String,
}

/// The kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    Gone,
    TypeChanged,
    NowNullable,
    NowRequired,
    NewInput,
    NewValue,
    NewFields,
}

/// The consequence of a difference, the worst first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impact {
    /// rolecall can't read the organisation, or a part of it.
    Reading,
    /// The platform refuses these mutations.
    Mutations(BTreeSet<String>),
    /// Everything works, but somebody should look whether it is still right.
    ToBeChecked,
    Harmless,
}

impl Impact {
    /// Returns the word for it in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reading => "breaks-reading",
            Self::Mutations(_) => "breaks-mutations",
            Self::ToBeChecked => "to-be-checked",
            Self::Harmless => "harmless",
        }
    }

    /// Returns the consequence of two differences in the same part.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Mutations(these), Self::Mutations(those)) => {
                Self::Mutations(these.into_iter().chain(those).collect())
            }
            (this, other) => this.min(other),
        }
    }
}

impl SchemaReport {
    /// Returns the worst consequence, or nothing if there is no difference.
    pub fn worst(&self) -> Option<&Impact> {
        match self {
            Self::Compared(differences) => differences.iter().map(|difference| &difference.impact).min(),
            Self::NotShown => None,
        }
    }
}

/// Asks a platform for its schema, with one request, and compares.
pub async fn compare_schema(reader: &Reader, provider: &dyn Provider) -> Result<SchemaReport, ReadError> {
    let UsedSchema { generations, context } = provider.used_schema();
    let query = QUERY.within(context);
    let answer = match reader.query::<Introspection>(&query, json!({})).await {
        Ok(answer) => answer,
        Err(error) if error.refuses_introspection() => return Ok(SchemaReport::NotShown),
        Err(error) => return Err(ReadError::Call { operation: QUERY.name, error }),
    };
    let Some(schema) = answer.schema.map(Schema::of) else { return Ok(SchemaReport::NotShown) };
    // The newest generation that the schema can be, as a read decides it.
    let fits = |text: &&&str| match condition(text) {
        Some((root, path)) => matches!(schema.find(root, &path), Search::Found(_)),
        None => true,
    };
    let text = generations.iter().rev().find(fits).or(generations.first());
    let compared = text.map(|text| compare(text, generations, &schema));
    Ok(SchemaReport::Compared(compared.unwrap_or_default()))
}

/// Compares the text of one generation with a schema. A read recognises each optional part by itself, also one of another
/// generation: such a part is used where it is, so it isn't new.
///
/// For example, a server of Hive has invitations with resources, and not yet `deleteAccessToken`.
fn compare(text: &str, generations: &[&str], schema: &Schema) -> Vec<Difference> {
    let lines = lines(text);
    let others: Vec<Line<'_>> =
        generations.iter().flat_map(|text| self::lines(text)).filter(is_optional).collect();
    let mut comparison = Comparison { schema, lines: &lines, others: &others, found: BTreeMap::new() };
    for line in &lines {
        if let Line::Part { root, path, shape, is_optional, is_sent } = line {
            comparison.part(*root, path, shape, *is_optional, *is_sent);
        }
    }
    comparison.additions();
    let difference = |((name, kind, note), impact)| Difference { impact, name, kind, note };
    let mut differences: Vec<Difference> = comparison.found.into_iter().map(difference).collect();
    differences.sort();
    differences
}

fn is_optional(line: &Line<'_>) -> bool {
    matches!(line, Line::Part { is_optional: true, .. })
}

struct Comparison<'a> {
    schema: &'a Schema,
    lines: &'a [Line<'a>],
    /// The optional parts of every generation.
    others: &'a [Line<'a>],
    /// The differences by name, kind and note. One part can be at several paths.
    found: BTreeMap<(String, DifferenceKind, String), Impact>,
}

/// Returns what is broken if a part can't be used.
fn broken(root: Root, path: &Path<'_>) -> Impact {
    match root {
        Root::Query => Impact::Reading,
        Root::Mutation => Impact::Mutations(BTreeSet::from([path.operation().to_owned()])),
    }
}

impl<'a> Comparison<'a> {
    fn add(&mut self, impact: Impact, name: String, kind: DifferenceKind, note: impl Into<String>) {
        let place = (name, kind, note.into());
        let impact = match self.found.remove(&place) {
            Some(earlier) => earlier.and(impact),
            None => impact,
        };
        self.found.insert(place, impact);
    }

    /// Compares one part that the text names.
    fn part(&mut self, root: Root, path: &Path<'_>, used: &Shape<&str>, is_optional: bool, is_sent: bool) {
        use DifferenceKind::{Gone, NowNullable, NowRequired, TypeChanged};
        let Part { name, found } = match self.schema.find(root, path) {
            Search::Found(part) => part,
            Search::Gone(_) if !is_sent => return,
            Search::Gone(name) => {
                let impact = if is_optional { Impact::Harmless } else { broken(root, path) };
                let note = if path.is_sent() { "The platform no longer accepts it." } else { "It is gone." };
                return self.add(impact, name, Gone, note);
            }
            Search::Elsewhere => return,
        };
        let now = found.shape();
        if let Found::Input(input) = found
            && input.is_required()
            && !(is_sent && used.is_required())
        {
            let note = "The platform now requires it, and rolecall doesn't always send it.";
            self.add(broken(root, path), name.clone(), NowRequired, note);
        }
        if !is_sent {
            return;
        }
        let is_input = matches!(found, Found::Input(_));
        if !has_same_lists(used, &now) {
            return self.add(broken(root, path), name, TypeChanged, format!("Its type is now {now}."));
        }
        // The items of a list that rolecall sends are never null.
        if !is_input && is_now_nullable(used, &now) {
            self.add(Impact::ToBeChecked, name.clone(), NowNullable, "It may now be null.");
        }
        self.leaf(root, path, &name, used.name(), &now);
    }

    /// Compares the innermost type.
    fn leaf(&mut self, root: Root, path: &Path<'_>, name: &str, used: &str, now: &Shape<&str>) {
        use DifferenceKind::TypeChanged;
        let kind = self.schema.named(now.name());
        let is_object = kind.is_some_and(introspected::Type::is_object);
        let is_enum = kind.is_some_and(introspected::Type::is_enum);
        let changed = || format!("Its type is now {now}.");
        let impact = match Leaf::of(used) {
            Leaf::Object(named) if is_object => {
                named.filter(|named| *named != now.name()).map(|_| broken(root, path))
            }
            Leaf::Enum(named, known) if is_enum => {
                let renamed = named.filter(|named| *named != now.name()).map(|_| broken(root, path));
                self.values(root, path, now.name(), &known);
                renamed
            }
            Leaf::Scalar(scalar) if !is_object && scalar == now.name() => None,
            Leaf::Object(_) => Some(broken(root, path)),
            Leaf::Scalar(_) | Leaf::Enum(..) if is_object => Some(broken(root, path)),
            // The document of an operation contains the type of each argument.
            Leaf::Scalar(_) | Leaf::Enum(..) if path.is_argument() => Some(broken(root, path)),
            Leaf::Enum(..) => Some(if is_text(now.name()) { Impact::ToBeChecked } else { broken(root, path) }),
            Leaf::Scalar(scalar) => {
                let is_text = is_text(scalar) && (is_enum || is_text(now.name()));
                Some(if is_text { Impact::ToBeChecked } else { broken(root, path) })
            }
        };
        if let Some(impact) = impact {
            self.add(impact, name.to_owned(), TypeChanged, changed());
        }
    }

    /// Compares the values of an enum.
    fn values(&mut self, root: Root, path: &Path<'_>, name: &str, known: &BTreeSet<&str>) {
        use DifferenceKind::{Gone, NewValue};
        let now: BTreeSet<&str> =
            self.schema.named(name).into_iter().flat_map(introspected::Type::values).collect();
        for value in now.difference(known) {
            let (impact, note) = if path.is_sent() {
                (Impact::Harmless, "The value is new. rolecall never sends it.")
            } else {
                (Impact::ToBeChecked, "The value is new. rolecall doesn't plan an entity that has it.")
            };
            self.add(impact, format!("{name}.{value}"), NewValue, note);
        }
        for value in known.difference(&now) {
            let (impact, note) = match root {
                _ if !path.is_sent() => (Impact::Harmless, "The value is gone."),
                // A query sends few of the values, and the text doesn't say which.
                Root::Query => (Impact::ToBeChecked, "The platform no longer accepts the value."),
                Root::Mutation => (broken(root, path), "The platform no longer accepts the value."),
            };
            self.add(impact, format!("{name}.{value}"), Gone, note);
        }
    }

    /// Looks for parts that the text doesn't have.
    fn additions(&mut self) {
        let mut around: BTreeSet<(Root, Path<'_>)> = BTreeSet::new();
        for line in self.lines {
            match line {
                Line::Part { root, path, .. } => {
                    around.insert((*root, path.clone()));
                    around.extend(path.split_last().map(|(around, _)| (*root, around)));
                }
                Line::Others { root, path, .. } => {
                    around.insert((*root, path.clone()));
                }
            }
        }
        for (root, path) in &around {
            self.new_arguments(*root, path);
            if path.is_sent() {
                self.new_inputs(*root, path);
            } else {
                self.new_fields(*root, path);
            }
        }
    }

    /// Returns the names that the text has below a path.
    fn known(&self, root: Root, around: &Path<'_>, arguments: bool) -> BTreeSet<&'a str> {
        let mut known = BTreeSet::new();
        for line in self.lines.iter().chain(self.others) {
            match line {
                Line::Part { root: of, path, .. } if *of == root => {
                    let below = path.below(around).filter(|step| step.is_argument == arguments);
                    known.extend(below.map(|step| step.name));
                }
                Line::Others { root: of, path, names } if *of == root && path == around && !arguments => {
                    known.extend(names);
                }
                Line::Part { .. } | Line::Others { .. } => {}
            }
        }
        known
    }

    fn new_arguments(&mut self, root: Root, path: &Path<'_>) {
        let Search::Found(Part { name, found: Found::Field(field) }) = self.schema.find(root, path) else {
            return;
        };
        let known = self.known(root, path, true);
        let new: Vec<(String, bool)> = field
            .args
            .iter()
            .filter(|argument| !known.contains(&*argument.name))
            .map(|argument| (format!("{name}({})", argument.name), argument.is_required()))
            .collect();
        for (name, is_required) in new {
            self.new_input(root, path, name, is_required);
        }
    }

    fn new_inputs(&mut self, root: Root, path: &Path<'_>) {
        let known = self.known(root, path, false);
        let Some(kind) = self.schema.parent(root, path) else { return };
        let inputs = self.schema.named(kind).map(introspected::Type::inputs).unwrap_or_default();
        // A path into a type that rolecall doesn't send has no parts, and says nothing.
        if known.is_empty() {
            return;
        }
        let new: Vec<(String, bool)> = inputs
            .iter()
            .filter(|input| !known.contains(&*input.name))
            .map(|input| (format!("{kind}.{}", input.name), input.is_required()))
            .collect();
        for (name, is_required) in new {
            self.new_input(root, path, name, is_required);
        }
    }

    fn new_input(&mut self, root: Root, path: &Path<'_>, name: String, is_required: bool) {
        let (impact, note) = match root {
            _ if is_required => (broken(root, path), "The platform requires it, and rolecall doesn't send it."),
            Root::Query => (Impact::Harmless, "It is new, and rolecall doesn't need it."),
            Root::Mutation => {
                (Impact::ToBeChecked, "It is new, and rolecall doesn't send it. An update might clear it.")
            }
        };
        self.add(impact, name, DifferenceKind::NewInput, note);
    }

    fn new_fields(&mut self, root: Root, path: &Path<'_>) {
        let Some(kind) = self.schema.parent(root, path) else { return };
        let fields = self.schema.named(kind).map(introspected::Type::fields).unwrap_or_default();
        let known = self.known(root, path, false);
        let new: BTreeSet<&str> = fields.iter().map(|field| &*field.name).collect();
        let new: Vec<&str> = new.difference(&known).copied().collect();
        if !new.is_empty() && (!known.is_empty() || path.is_root()) {
            let count = new.len();
            let fields = if count == 1 { "field" } else { "fields" };
            let note = format!("It has {count} {fields} that rolecall doesn't know: {}.", shortened(&new));
            self.add(Impact::Harmless, kind.to_owned(), DifferenceKind::NewFields, note);
        }
    }
}

/// Returns whether two types have the same number of lists around them.
fn has_same_lists(used: &Shape<&str>, now: &Shape<&str>) -> bool {
    match (used, now) {
        (Shape::Named(..), Shape::Named(..)) => true,
        (Shape::List(used, _), Shape::List(now, _)) => has_same_lists(used, now),
        (Shape::Named(..), Shape::List(..)) | (Shape::List(..), Shape::Named(..)) => false,
    }
}

/// Returns whether a value, or an item of a list, may be null now.
fn is_now_nullable(used: &Shape<&str>, now: &Shape<&str>) -> bool {
    let inner = match (used, now) {
        (Shape::List(used, _), Shape::List(now, _)) => is_now_nullable(used, now),
        (Shape::Named(..) | Shape::List(..), _) => false,
    };
    used.is_required() && !now.is_required() || inner
}

/// Returns whether a scalar is a text in JSON. A scalar of the platform's own may be.
fn is_text(scalar: &str) -> bool {
    !matches!(scalar, "Int" | "Float" | "Boolean")
}

/// Lists the first names.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
