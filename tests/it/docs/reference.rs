//! Generates `docs/reference.md` from the schema of the file. An unknown keyword of the schema is a failure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rolecall::cli::{SchemaName, schema_text};
use serde_json::{Map, Value};

const TEXT: &str = "text";

/// The length above which a pattern doesn't help a reader.
const LONGEST_PATTERN: usize = 100;

const HEAD: &str = "# Every field

This page lists every field of a rolecall file, with its type and its meaning. It is generated from [the
schema](../schemas/rolecall.schema.json), which `rolecall schema` prints and which editors understand. [The file's
page](file.md) explains the ideas behind the fields.

You can leave out a field that isn't required. The tables then call the field *absent*. A field without a value
(`roles:`) is an error. A field that isn't listed here is an error too.
";

pub fn schema() -> Value {
    serde_json::from_str(&schema_text(SchemaName::File)).unwrap()
}

/// Returns the whole page.
pub fn reference(schema: &Value) -> String {
    let defs = schema["$defs"].as_object().unwrap();
    let (providers, others) = variants(schema);
    let mut page = Page { defs, providers: providers.clone(), text: HEAD.to_owned() };
    let words: Vec<String> = providers.iter().map(|provider| page.word(provider)).collect();
    let links = words.iter().map(|word| format!("[{word}](#{word})")).collect::<Vec<_>>().join(", ");
    let _ = write!(
        page.text,
        "\nThe platforms are {links}.\nOrganisation files include [people files](#people) and [parts](#part).\n[Types](#types) describes the types that several of them share.\n"
    );
    for (provider, word) in providers.iter().zip(&words) {
        page.provider(provider, word);
    }
    for name in &others {
        let def = &defs[*name];
        let _ = write!(page.text, "\n## {name}\n\n{}\n\n", description(def).unwrap());
        page.table(def, NONE);
    }
    page.text.push_str("\n## Types\n");
    for (name, def) in defs {
        if !others.contains(&name.as_str()) && !providers.iter().any(|provider| is_own(provider, name, def)) {
            page.form(name, def);
        }
    }
    page.text
}

/// Returns the names of the variants of a file: those of platforms, and the others.
pub fn variants(schema: &Value) -> (Vec<&str>, Vec<&str>) {
    let all = schema["oneOf"].as_array().unwrap().iter().map(name_of);
    all.partition(|name| schema["$defs"][name]["properties"].get("provider").is_some())
}

/// Returns the name of the definition that a reference names.
fn name_of(reference: &Value) -> &str {
    reference["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")).unwrap()
}

/// Whether this mapping belongs to one provider alone. Its fields are described in that provider's section.
fn is_own(provider: &str, name: &str, def: &Value) -> bool {
    name.starts_with(provider) && def.get("properties").is_some()
}

/// The absence of a provider, for what applies to all of them.
const NONE: &str = "-";

/// Returns the fields of a mapping: the required ones first, then those of which one is, otherwise in the schema's order.
fn fields_of(def: &Value) -> Vec<(&str, &Value)> {
    let properties = def["properties"].as_object().unwrap();
    let either = def.get("oneOf").and_then(Value::as_array).into_iter().flatten().map(|way| &way["required"]);
    let words =
        std::iter::once(&def["required"]).chain(either).flat_map(|list| list.as_array().into_iter().flatten());
    let mut required: Vec<&str> = Vec::new();
    for word in words.map(|word| word.as_str().unwrap()) {
        if !required.contains(&word) {
            required.push(word);
        }
    }
    let needed = required.iter().map(|field| (*field, &properties[*field]));
    let rest = properties.iter().map(|(field, value)| (field.as_str(), value));
    needed.chain(rest.filter(|(field, _)| !required.contains(field))).collect()
}

struct Page<'a> {
    defs: &'a Map<String, Value>,
    providers: Vec<&'a str>,
    text: String,
}

impl Page<'_> {
    /// Returns the value of `provider` as text.
    fn word(&self, provider: &str) -> String {
        self.defs[provider]["properties"]["provider"]["enum"][0].as_str().unwrap().to_owned()
    }

    fn provider(&mut self, provider: &str, word: &str) {
        let def = &self.defs[provider];
        let _ = write!(self.text, "\n## {word}\n\n{}\n", description(def).unwrap());
        let _ = write!(
            self.text,
            "[Its page]({word}.md) explains what rolecall can manage there. [An example](../examples/{word}.yaml) shows a complete file.\n\n"
        );
        self.table(def, provider);
        for (field, value) in fields_of(def) {
            let inner = if value["type"] == "array" { &value["items"] } else { value };
            let Some(name) = inner.get("$ref").map(|_| name_of(inner)) else { continue };
            let def = &self.defs[name];
            if is_own(provider, name, def) {
                let _ = write!(self.text, "\n### {word}: {field}\n\n");
                if let Some(description) = description(def) {
                    let _ = write!(self.text, "{description}\n\n");
                }
                self.table(def, provider);
            }
        }
    }

    /// Writes the table of a mapping's fields.
    fn table(&mut self, def: &Value, provider: &str) {
        self.text.push_str("| field | required | type | meaning |\n|---|---|---|---|\n");
        let rules = Rules::of(def);
        for (field, value) in fields_of(def) {
            let is = in_cell(&self.value(value, provider, field));
            let mut said: Vec<String> = description(value).into_iter().collect();
            said.extend(rules.said_of(field));
            let needed = rules.needed(field);
            let _ = writeln!(self.text, "| `{field}` | {needed} | {is} | {} |", in_cell(&said.join(" ")));
        }
        if let Some(rest) = &rules.rest {
            let _ = write!(self.text, "\n{rest}\n");
        }
    }

    /// Writes a definition that several fields share.
    fn form(&mut self, name: &str, def: &Value) {
        let _ = write!(self.text, "\n### {name}\n\n{}\n", description(def).unwrap());
        if def.get("properties").is_some() {
            self.text.push('\n');
            self.table(def, NONE);
            return;
        }
        let Some(options) = def.get("oneOf").and_then(Value::as_array) else {
            let value = self.value(def, NONE, "");
            if value != TEXT {
                let (first, rest) = value.split_at(1);
                let _ = write!(self.text, "\nType: {first}{rest}.\n");
            }
            return;
        };
        if options.iter().all(|option| option.get("const").is_some()) {
            self.text.push('\n');
            for option in options {
                let word = self.value(option, NONE, "");
                let _ = writeln!(self.text, "- {word}: {}", description(option).unwrap());
            }
            return;
        }
        self.text.push_str(
            "\nThe mapping has exactly one of these fields:\n\n| field | type | meaning |\n|---|---|---|\n",
        );
        for option in options {
            let (field, value) = option["properties"].as_object().unwrap().iter().next().unwrap();
            let is = in_cell(&self.value(value, NONE, field));
            let _ = writeln!(self.text, "| `{field}` | {is} | {} |", in_cell(&description(option).unwrap()));
        }
    }

    /// Returns the possible values of a field on one line.
    fn value(&self, value: &Value, provider: &str, field: &str) -> String {
        let object = value.as_object().unwrap();
        let inner = |keyword: &str| self.value(&object[keyword], provider, field);
        let what = if object.contains_key("$ref") {
            let name = name_of(value);
            let owner = self.providers.iter().find(|owner| is_own(owner, name, &self.defs[name]));
            match owner.map(|owner| (*owner == provider, self.word(owner))) {
                Some((true, word)) => format!("a mapping with [these fields](#{word}-{field})"),
                Some((false, word)) => format!("a mapping with [the fields of {word}](#{word}-{field})"),
                None => format!("[{name}](#{})", name.to_lowercase()),
            }
        } else if let Some(word) = object.get("const") {
            format!("`{}`", word.as_str().unwrap())
        } else if let Some(words) = object.get("enum") {
            words_of(words)
        } else if let Some(options) = object.get("anyOf") {
            let options = options.as_array().unwrap().iter();
            options.map(|option| self.value(option, provider, field)).collect::<Vec<_>>().join(", or ")
        } else {
            match object["type"].as_str().unwrap() {
                "array" => format!("a list of {}", inner("items").replacen("a mapping", "mappings", 1)),
                "boolean" => "`true` or `false`".to_owned(),
                "integer" => "a whole number".to_owned(),
                "string" => TEXT.to_owned(),
                "object" => {
                    let (key, value) = (inner("propertyNames"), inner("additionalProperties"));
                    let value = if value.contains(", or ") { format!("({value})") } else { value };
                    format!("a mapping of {key} to {value}")
                }
                other => panic!("the page has no word for {other}"),
            }
        };
        [what].into_iter().chain(limits(object)).collect::<Vec<_>>().join(", ")
    }
}

/// Escapes a bar, which would end a table cell even in code.
fn in_cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn words_of(words: &Value) -> String {
    let words = words.as_array().unwrap().iter();
    words.map(|word| format!("`{}`", word.as_str().unwrap())).collect::<Vec<_>>().join(", ")
}

/// Returns the description on one line.
fn description(value: &Value) -> Option<String> {
    let text = value.get("description")?.as_str()?.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(if text.ends_with(['.', '?']) { text } else { format!("{text}.") })
}

/// Returns the other constraints on a value.
fn limits(object: &Map<String, Value>) -> Vec<String> {
    const COVERED: &[&str] = &[
        "$ref",
        "const",
        "enum",
        "anyOf",
        "type",
        "items",
        "propertyNames",
        "additionalProperties",
        "description",
        "format",
    ];
    let mut limits = Vec::new();
    for (least, most, unit) in
        [("minLength", "maxLength", "character"), ("minItems", "maxItems", ""), ("minimum", "maximum", "")]
    {
        let number = |keyword: &str| object.get(keyword).and_then(Value::as_u64);
        let text = match (number(least), number(most)) {
            (Some(least), Some(most)) if least == most => format!("exactly {least}{}", counted(unit, least)),
            (Some(least), Some(most)) => format!("{least} to {most}{}", counted(unit, most)),
            (Some(least), None) => format!("at least {least}{}", counted(unit, least)),
            (None, Some(most)) => format!("at most {most}{}", counted(unit, most)),
            (None, None) => continue,
        };
        limits.push(text);
    }
    for (keyword, value) in object {
        match keyword.as_str() {
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minimum" | "maximum" => {}
            "uniqueItems" => limits.push("without duplicates".to_owned()),
            "not" => limits.push(format!("except {}", words_of(&value["enum"]))),
            "pattern" => {
                let pattern = value.as_str().unwrap();
                if pattern.chars().count() <= LONGEST_PATTERN {
                    limits.push(format!("matching `{pattern}`"));
                }
            }
            known if COVERED.contains(&known) => {}
            other => panic!("the page doesn't speak of {other}"),
        }
    }
    limits
}

fn counted(unit: &str, count: u64) -> String {
    match (unit, count) {
        ("", _) => String::new(),
        (unit, 1) => format!(" {unit}"),
        (unit, _) => format!(" {unit}s"),
    }
}

/// The constraints of a mapping that depend on another field.
struct Rules<'a> {
    required: BTreeSet<&'a str>,
    /// The fields that are required unless `absent: true` is set.
    otherwise: BTreeSet<&'a str>,
    /// The fields of which exactly one is required.
    either: BTreeSet<&'a str>,
    /// The fields that aren't allowed beside `absent: true`.
    forbidden: BTreeSet<&'a str>,
    /// The values that fields can have unless `absent: true` is set.
    narrowed: Vec<(&'a str, String)>,
    /// The text below the table.
    rest: Option<String>,
}

fn strings(value: Option<&Value>) -> BTreeSet<&str> {
    value.and_then(Value::as_array).into_iter().flatten().map(|word| word.as_str().unwrap()).collect()
}

impl<'a> Rules<'a> {
    fn of(def: &'a Value) -> Self {
        const KNOWN: &[&str] = &[
            "description",
            "type",
            "properties",
            "additionalProperties",
            // The page of the file speaks of `x-…` fields.
            "patternProperties",
            "required",
            "if",
            "then",
            "else",
            "oneOf",
        ];
        let object = def.as_object().unwrap();
        let unknown: Vec<&String> = object.keys().filter(|keyword| !KNOWN.contains(&keyword.as_str())).collect();
        assert!(unknown.is_empty(), "the page doesn't speak of {unknown:?}");
        let absent = serde_json::json!({ "properties": { "absent": { "const": true } }, "required": ["absent"] });
        let mut rules = Self {
            required: strings(def.get("required")),
            otherwise: BTreeSet::new(),
            either: BTreeSet::new(),
            forbidden: BTreeSet::new(),
            narrowed: Vec::new(),
            rest: None,
        };
        let parts = |part: &str| def[part]["properties"].as_object().into_iter().flatten();
        match def.get("if") {
            None => {}
            Some(condition) if *condition == absent => {
                rules.otherwise = strings(def["else"].get("required"));
                for (field, value) in parts("then") {
                    assert_eq!(*value, Value::Bool(false), "the page doesn't speak of {value}");
                    rules.forbidden.insert(field);
                }
                rules.narrowed =
                    parts("else").map(|(field, value)| (field.as_str(), words_of(&value["enum"]))).collect();
            }
            Some(condition) => {
                assert_eq!(condition["properties"]["settings"], absent, "the page doesn't speak of {condition}");
                let empty: Vec<String> = parts("then")
                    .inspect(|(_, value)| assert_eq!(value["maxItems"], 0))
                    .map(|(field, _)| format!("`{field}`"))
                    .collect();
                rules.rest = Some(format!(
                    "With `settings: {{ absent: true }}`, the file can't list {}.",
                    empty.join(" or ")
                ));
            }
        }
        if let Some(ways) = def.get("oneOf").and_then(Value::as_array) {
            let way = |way: &Value| {
                let needed: Vec<String> =
                    strings(way.get("required")).iter().map(|field| format!("`{field}`")).collect();
                needed.join(" with ")
            };
            rules.rest = Some(format!(
                "The mapping has either {}.",
                ways.iter().map(way).collect::<Vec<_>>().join(", or ")
            ));
            rules.either = ways.iter().flat_map(|way| strings(way.get("required"))).collect();
        }
        rules
    }

    fn needed(&self, field: &str) -> &'static str {
        match field {
            _ if self.required.contains(field) => "yes",
            _ if self.otherwise.contains(field) => "unless `absent`",
            _ if self.either.contains(field) => "either",
            _ => "",
        }
    }

    fn said_of(&self, field: &str) -> impl Iterator<Item = String> {
        let forbidden =
            self.forbidden.contains(field).then(|| "It can't be combined with `absent: true`.".to_owned());
        let narrowed = self.narrowed.iter().filter(move |(narrowed, _)| *narrowed == field);
        let narrowed = narrowed
            .map(|(_, words)| format!("Without `absent: true`, it is one of {words}."))
            .collect::<Vec<_>>();
        forbidden.into_iter().chain(narrowed)
    }
}
