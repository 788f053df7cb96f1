//! The JSON Schema of the file, for editors and other tools.

use std::collections::{BTreeMap, BTreeSet};

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Map, Value, json};

use super::Format;
use super::resolve::{PARTS, RawPeople, RawTolerated};

/// Returns the JSON Schema of a file: one variant for each `provider`, one for people files, and one for the parts that
/// organisation files include.
pub fn schema<'a>(formats: impl IntoIterator<Item = &'a Format>) -> Schema {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut variants: Vec<Schema> = formats.into_iter().map(|format| (format.schema)(&mut generator)).collect();
    let people = generator.subschema_for::<RawPeople>();
    generator.subschema_for::<RawTolerated>();
    let mut schema = schemars::json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rolecall",
        "description": "This file describes who has which access to one organisation, or is included by a file that does.",
        "$defs": generator.take_definitions(true),
    });
    RecursiveTransform(without_null).transform(&mut schema);
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        let mut definitions = Definitions(definitions);
        let mut sections = BTreeMap::new();
        for file in &variants {
            definitions.complete(name_of(file.as_value()), &mut sections);
        }
        definitions.add_part(&sections);
    }
    variants.extend([people, Schema::new_ref("#/$defs/Part".to_owned())]);
    schema.insert("oneOf".to_owned(), json!(variants));
    schema
}

/// The definitions of the schema.
///
/// Some fields are the same on every platform. They are taken from a file before the platform's own type sees it, so that
/// type doesn't have them, and they are added here.
struct Definitions<'a>(&'a mut Map<String, Value>);

impl Definitions<'_> {
    /// Adds the common fields to the type of a platform's files and to the types of their entries. Adds those types to
    /// `sections`.
    fn complete(&mut self, file: &str, sections: &mut BTreeMap<&'static str, BTreeSet<String>>) {
        let Some(fields) = self.0.get_mut(file).map(|file| &mut file["properties"]) else { return };
        fields["include"] = include();
        fields["tolerated"] = json!({
            "description": "These roles were given in the web app and stay until a certain time. Without this, they are drift, and an apply takes them. Default: none.",
            "type": "array", "items": { "$ref": "#/$defs/Tolerated" },
        });
        for section in PARTS {
            let entry = fields.get(section).map(|list| name_of(&list["items"]).to_owned());
            sections.entry(section).or_default().extend(entry);
        }
        for (section, entries) in sections {
            for entry in entries.iter().filter(|entry| entry.starts_with(file)) {
                self.complete_entry(section, entry);
            }
        }
    }

    fn complete_entry(&mut self, section: &str, name: &str) {
        let Some(mut entry) = self.0.remove(name) else { return };
        let note = "This text is shown with the entry in plans, comments and reports of access. Default: none.";
        if section == "users" {
            let description = entry["description"].as_str().unwrap_or_default();
            entry["description"] =
                json!(format!("{description} With `group`, it describes all members of a group."));
        }
        let until = match section {
            "users" => {
                "The entry applies until this time. After it, what groups give applies again, or else the person must have no access. Default: forever."
            }
            "keys" => "After this time, the key must not exist. Default: it may exist forever.",
            _ => "After this time, the team must not exist. Default: it may exist forever.",
        };
        let fields = &mut entry["properties"];
        fields["note"] = described("Line", note);
        if section != "roles" {
            fields["until"] = described("Until", until);
            entry["then"]["properties"]["until"] = json!(false);
        }
        if section == "keys" {
            let has_expiry = entry["properties"].get("expires").is_some();
            let texts = [
                (
                    "max_age",
                    "When the key gets this old, a plan creates its successor. With `overlap`, it does so that much earlier. Default: it may be of any age.",
                    true,
                ),
                (
                    "overlap",
                    "The key and its successor both work for this time. Default: until the next apply.",
                    true,
                ),
                (
                    "lifetime",
                    "A new key expires so long after its creation. A live key may have any expiry. If it is absent, `expires` applies.",
                    has_expiry,
                ),
                (
                    "rotate_before",
                    "The successor is created so long before the key expires. It needs `lifetime`. Default: no successor is created because of the expiry.",
                    has_expiry,
                ),
            ];
            let texts = texts.into_iter().filter(|(_, _, is_here)| *is_here);
            let mut names: Vec<&str> = texts.clone().map(|(name, ..)| name).collect();
            let fields = &mut entry["properties"];
            for (name, text, _) in texts {
                fields[name] = described("Duration", text);
            }
            let text = "With `automatically`, a scheduled `apply --leftovers` creates a successor that is due. Otherwise a reviewed apply does. Default: `reviewed`.";
            fields["rotate"] = json!({ "description": text, "enum": ["automatically", "reviewed"] });
            let text = "If `true`, the key also gets a successor while rolecall signs in with it. A person then stores the new secret where `credentials` points. Default: `false`.";
            fields["rotate_own"] = json!({ "description": text, "type": "boolean" });
            names.extend(["rotate", "rotate_own"]);
            for name in names {
                entry["then"]["properties"][name] = json!(false);
            }
            let duration = json!({
                "description": "This is a length of time, such as `90d` or `36h`.",
                "type": "string", "pattern": "^[0-9]+[dh]$",
            });
            self.0.insert("Duration".to_owned(), duration);
        }
        if section == "users" {
            let fields = &mut entry["properties"];
            if let Some(roles) = fields.get_mut("roles") {
                self.let_end(&mut roles["items"], "role");
            }
            if let Some(teams) = fields.get("teams").map(|teams| name_of(teams).to_owned())
                && let Some(mut teams_type) = self.0.remove(&teams)
            {
                for form in teams_type["anyOf"].as_array_mut().into_iter().flatten() {
                    match form.get("items") {
                        Some(_) => self.let_end(&mut form["items"], "team"),
                        None => self.let_end(&mut form["additionalProperties"], "role"),
                    }
                }
                self.0.insert(teams, teams_type);
            }
            let group =
                "All members of this group have the access that the entry gives. A people file lists them.";
            let mut of_group = json!({ "required": ["group"] });
            if fields.get("id").is_some() {
                of_group["properties"]["id"] = json!(false);
            }
            fields["group"] = described("Name", group);
            entry["then"]["properties"]["group"] = json!(false);
            entry["oneOf"] = json!([{ "required": ["email"] }, of_group]);
            entry.as_object_mut().map(|entry| entry.remove("required"));
        }
        self.0.insert(name.to_owned(), entry);
    }

    /// Lets a role or a team be a mapping too, which says when it ends.
    fn let_end(&mut self, item: &mut Value, field: &str) {
        let name = match (name_of(item), field) {
            ("Name", "team") => "EndingTeam".to_owned(),
            ("Name", _) => "EndingRole".to_owned(),
            (other, _) => format!("Ending{other}"),
        };
        let mut named = item.clone();
        named["description"] = json!(format!("This is the {field}."));
        let until = format!("The user has the {field} until this time. Default: forever.");
        let ending = json!({
            "description": format!("This is a {field} that the user has until a certain time."),
            "type": "object",
            "properties": { (field): named, "until": described("Until", &until) },
            "additionalProperties": false,
            "required": [field],
        });
        *item = json!({ "anyOf": [item, { "$ref": format!("#/$defs/{name}") }] });
        self.0.insert(name, ending);
    }

    /// Adds the types of a part of an organisation's file, and of the paths of such files. A part doesn't
    /// say which platform it is for, so it allows the entries of all.
    fn add_part(&mut self, sections: &BTreeMap<&'static str, BTreeSet<String>>) {
        let mut fields = Map::new();
        for (section, entries) in sections {
            let entries: Vec<Value> =
                entries.iter().map(|entry| json!({ "$ref": format!("#/$defs/{entry}") })).collect();
            let description = format!(
                "These entries are added to `{section}` of each file that includes this one. They have the fields of its platform. Default: none."
            );
            let list = json!({ "description": description, "type": "array", "items": { "anyOf": entries } });
            fields.insert((*section).to_owned(), list);
        }
        fields.insert("include".to_owned(), include());
        let part = json!({
            "description": "This file is a part of the organisation files that include it.",
            "type": "object",
            "properties": fields,
            "additionalProperties": false,
            "patternProperties": { "^x-": true },
        });
        let path = json!({
            "description": "This path of a YAML file starts at the folder of the file that includes it. `*` stands for any text in the file's name.",
            "type": "string",
            "pattern": r"^([^/].*\.ya?ml|([^/].*)?\*[^/]*)$",
        });
        self.0.extend([("Part".to_owned(), part), ("IncludePath".to_owned(), path)]);
    }
}

/// Returns the type of the field that names other files.
fn include() -> Value {
    let description = "These files belong to this one: people files, and files with more entries. Default: none.";
    json!({ "description": description, "type": "array", "items": { "$ref": "#/$defs/IncludePath" } })
}

fn described(name: &str, description: &str) -> Value {
    json!({ "description": description, "$ref": format!("#/$defs/{name}") })
}

/// Returns the name of the definition that a reference names.
fn name_of(schema: &Value) -> &str {
    schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")).unwrap_or_default()
}

/// Removes `null` from the types of optional fields. A field may be absent, but a field without a value is an
/// error: it isn't clear whether it means the live value or nothing.
fn without_null(schema: &mut Schema) {
    let is_null = |value: &Value| value == "null" || *value == serde_json::json!({ "type": "null" });
    for keyword in ["type", "enum", "anyOf"] {
        let Some(Value::Array(options)) = schema.get_mut(keyword) else { continue };
        options.retain(|option| !is_null(option) && !option.is_null());
        let single = options.len() == 1;
        let Some(only) = options.first().cloned().filter(|_| single) else { continue };
        match (keyword, only) {
            ("type", only) => {
                schema.insert("type".to_owned(), only);
            }
            ("anyOf", Value::Object(only)) => {
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
            _ => {}
        }
    }
    schema.remove("default");
}
