//! Edits of generated files, in every style that YAML has: the result means what was asked for, and everything else stays
//! byte for byte.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use rolecall_config::{At, Edit, Flow, Yaml, edit};
use serde_json::{Map, Value, json};

use crate::config;

fn names(names: &[&str]) -> Yaml {
    Yaml::names(names)
}

fn set(index: usize, field: &'static str, value: Yaml) -> Edit {
    Edit::Change { at: At::Item("users", index), set: vec![(field, value)], unset: Vec::new() }
}

fn unset(index: usize, field: &'static str) -> Edit {
    Edit::Change { at: At::Item("users", index), set: Vec::new(), unset: vec![field] }
}

fn remove(index: usize) -> Edit {
    Edit::Remove { section: "users", index }
}

fn add(email: &str) -> Edit {
    Edit::Add { section: "users", entry: vec![("email", Yaml::text(email)), ("roles", names(&["New"]))] }
}

/// Draws choices from bytes, so that proptest can shrink them.
struct Draw<'b>(std::slice::Iter<'b, u8>);

impl Draw<'_> {
    fn one_of<'o, T: ?Sized>(&mut self, options: &[&'o T]) -> &'o T {
        options[usize::from(self.0.next().copied().unwrap_or(0)) % options.len()]
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }

    fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == limit - 1
    }
}

const ROLES: &[&str] = &["Admin", "'It''s'", "\"a, b\"", "Ünïcode", "a b", "\"x: y\"", "\"\\u00e4\"", "'#no'"];

/// A generated file. `own` has the lines of each entry, without those around them.
struct Generated {
    text: String,
    own: Vec<BTreeSet<usize>>,
}

fn comment(draw: &mut Draw<'_>) -> &'static str {
    draw.one_of(&["", "", " # why: {a, [b]} 'q", " # *x &y - z", "  # ünï"])
}

fn roles(draw: &mut Draw<'_>, block: Option<usize>) -> String {
    if draw.one_in(6) {
        return " *devs".to_owned();
    }
    let names: Vec<&str> = (0..=draw.below(3)).map(|at| ROLES[(draw.below(3) + at * 3) % ROLES.len()]).collect();
    match block {
        Some(indent) if draw.one_in(2) => {
            let mut text = String::new();
            for name in names {
                if draw.one_in(4) {
                    let _ = write!(text, "\n{:indent$}# between", "");
                }
                let _ = write!(text, "\n{:indent$}-{}{name}{}", "", draw.one_of(&[" ", "  "]), comment(draw));
            }
            text
        }
        _ => format!(
            " {}{}{}",
            draw.one_of(&["[", "[ "]),
            names.join(draw.one_of(&[", ", ",", " , "])),
            draw.one_of(&["]", " ]", ",]"])
        ),
    }
}

fn flow_entry(draw: &mut Draw<'_>, at: usize) -> String {
    let mut fields = vec![format!("email: {}", email(draw, at))];
    if draw.one_in(2) {
        fields.push(format!("roles:{}", roles(draw, None)));
    }
    if draw.one_in(2) {
        fields.push("resources: { shop: { live: all }, blog: all }".to_owned());
    }
    if draw.one_in(2) {
        let at = draw.below(fields.len() + 1);
        fields.insert(at, "enabled: true".to_owned());
    }
    format!(
        "{}{}{}",
        draw.one_of(&["{", "{ "]),
        fields.join(draw.one_of(&[", ", " , ", ","])),
        draw.one_of(&["}", " }", ", }"])
    )
}

fn email(draw: &mut Draw<'_>, at: usize) -> String {
    let name = (b'a' + u8::try_from(at).unwrap()) as char;
    let text = format!("{name}{}@acme.example", draw.one_of(&["", "x", "ü"]));
    let quote = draw.one_of(&["", "'", "\""]);
    format!("{quote}{text}{quote}")
}

fn block_entry(draw: &mut Draw<'_>, at: usize, indent: usize) -> String {
    let gap = draw.one_of(&[" ", " ", "   "]);
    let column = indent + 1 + gap.len();
    let mut fields = vec![format!("email: {}{}", email(draw, at), comment(draw))];
    if draw.one_in(2) {
        let key = draw.one_of(&["roles:", "\"roles\":", "roles :"]);
        let deeper = draw.below(2) * 2;
        fields.push(format!("{key}{}{}", roles(draw, Some(column + deeper)), comment(draw)));
    }
    if draw.one_in(2) {
        let tree = draw.one_of(&[
            " all",
            " {}",
            "\nIIshop:\nIIIIlive: all # deep\nIIblog: all",
            " { shop: all }",
            "\nII# about\nIIshop: { live: { services: all } }",
        ]);
        fields.push(
            format!("resources:{}", tree.replace("II", &" ".repeat(column + 2)))
                .replace(&" ".repeat(2 * column + 4), &" ".repeat(column + 6)),
        );
    }
    if draw.one_in(2) {
        let at = draw.below(fields.len() + 1);
        fields.insert(at, format!("enabled: true{}", comment(draw)));
    }
    let mut text = format!("{:indent$}-{gap}", "");
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            if draw.one_in(6) {
                let _ = writeln!(text, "{:column$}# inside", "");
            }
            let _ = write!(text, "{:column$}", "");
        }
        text.push_str(&field);
        text.push('\n');
    }
    text
}

fn generated(draw: &mut Draw<'_>) -> Generated {
    let mut text = draw.one_of(&["", "---\n", "# head\n\n", "%YAML 1.2\n---\n"]).to_owned();
    text.push_str("provider: hive\nx-devs: &devs [Admin, 'a b'] # shared\nx-who: &who { email: who@acme.example, roles: *devs }\n");
    let mut own = Vec::new();
    let count = draw.below(5);
    if count == 0 && draw.one_in(2) {
        text.push_str("users: [] # nobody\n");
    } else if count == 0 || draw.one_in(5) {
        // All between brackets.
        let entries: Vec<String> = (0..count).map(|at| flow_entry(draw, at)).collect();
        let lines = text.lines().count();
        let by_line = draw.one_in(2);
        let _ = writeln!(
            text,
            "users: {}{}{}",
            if by_line { "[\n  " } else { "[" },
            entries.join(if by_line { ", # it\n  " } else { ", " }),
            if by_line { "\n] # end" } else { " ]" }
        );
        own = (0..count).map(|_| (lines..text.lines().count()).collect()).collect();
    } else {
        let indent = draw.one_of(&[&2usize, &0, &4]);
        let _ = writeln!(text, "users:{}", comment(draw));
        for at in 0..count {
            if draw.one_in(3) {
                let _ = writeln!(text, "{:indent$}# about {at}", "");
            }
            let lines = text.lines().count();
            let entry = match draw.below(6) {
                0 | 1 => format!("{:indent$}- {}{}\n", "", flow_entry(draw, at), comment(draw)),
                2 if at > 0 => format!("{:indent$}- *who{}\n", "", comment(draw)),
                _ => block_entry(draw, at, *indent),
            };
            text.push_str(&entry);
            own.push((lines..text.lines().count()).collect());
            text.push_str(draw.one_of(&["", "", "\n", "\n\n"]));
        }
    }
    text.push_str(draw.one_of(&[
        "",
        "\n# after\nmanage: { users: listed } # m\n",
        "keys: []\n",
        "\n  # odd\n...\n",
    ]));
    if draw.one_in(3) {
        text.truncate(text.trim_end().len());
    }
    if draw.one_in(3) {
        text = text.replace('\n', "\r\n");
    }
    Generated { text, own }
}

fn generated_edits(draw: &mut Draw<'_>, count: usize) -> Vec<Edit> {
    let mut edits = Vec::new();
    for at in 0..count {
        let tree = || {
            Yaml::Map(vec![
                ("shop".to_owned(), Yaml::text("all")),
                ("new: #".to_owned(), Yaml::Flow(Flow::Map(Vec::new()))),
            ])
        };
        match draw.below(8) {
            0 => edits.push(remove(at)),
            1 => edits.push(set(at, "roles", names(&["Admin", "x: y", "- new"]))),
            2 => edits.push(set(at, "resources", tree())),
            3 => edits.push(Edit::Change {
                at: At::Item("users", at),
                set: vec![("absent", Yaml::Bool(true)), ("roles", names(&[]))],
                unset: vec!["enabled", "resources"],
            }),
            4 => edits.push(unset(at, "enabled")),
            _ => {}
        }
    }
    for at in 0..draw.below(3) {
        edits.push(add(["new@acme.example", "aa: b", "zz"][at]));
    }
    edits
}

fn parsed(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|why| panic!("{text}\n{why}"))
}

/// Sorts every list, because no list of the format has an order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, sorted(value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn as_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Bool(value) => json!(value),
        Yaml::Number(value) => json!(value),
        Yaml::Text(text) => json!(text),
        Yaml::List(items) | Yaml::Flow(Flow::List(items)) => items.iter().map(as_json).collect(),
        Yaml::Map(fields) | Yaml::Flow(Flow::Map(fields)) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), as_json(value))).collect())
        }
    }
}

/// Makes the edits in the parsed file.
fn expected(text: &str, edits: &[Edit]) -> Value {
    let mut file = parsed(text);
    let mut users: Vec<Option<Value>> =
        file["users"].as_array().cloned().unwrap_or_default().into_iter().map(Some).collect();
    for edit in edits {
        match edit {
            Edit::Change { at: At::Item(_, at), set, unset } => {
                let user = users[*at].as_mut().unwrap().as_object_mut().unwrap();
                user.retain(|name, _| !unset.contains(&name.as_str()));
                user.extend(set.iter().map(|(name, value)| ((*name).to_owned(), as_json(value))));
            }
            Edit::Change { .. } => unreachable!("only entries change here"),
            Edit::Remove { index, .. } => users[*index] = None,
            Edit::Add { entry, .. } => users.push(Some(
                entry
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), as_json(value)))
                    .collect::<Map<_, _>>()
                    .into(),
            )),
        }
    }
    file["users"] = users.into_iter().flatten().collect();
    file
}

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases * 8, ..config() })]

    #[test]
    fn an_edit_changes_what_was_asked_for_and_not_a_byte_elsewhere(bytes in prop::collection::vec(any::<u8>(), 200)) {
        let mut draw = Draw(bytes.iter());
        let Generated { text, own } = generated(&mut draw);
        parsed(&text);
        let edits = generated_edits(&mut draw, own.len());
        let edited = edit(&text, &edits);
        prop_assert!(edited.refused.is_empty(), "{text}\n{edits:?}\n{:?}", edited.refused);
        let after = parsed(&edited.text);
        prop_assert_eq!(sorted(after), sorted(expected(&text, &edits)), "{}\n{}", &text, &edited.text);
        // Lines outside of the entries stay as they are. So do those of entries that have no edit.
        let touched: BTreeSet<usize> = edits.iter().filter_map(|edit| match edit {
            Edit::Change { at: At::Item(_, at), .. } | Edit::Remove { index: at, .. } => Some(*at),
            Edit::Change { .. } | Edit::Add { .. } => None,
        }).flat_map(|at| own[at].clone()).collect();
        let may_go = |line: &str| own.is_empty() && line.starts_with(']') || line.trim().is_empty() || line.trim_start().starts_with("# about") || line.starts_with("users:");
        let kept = text.split_inclusive('\n').enumerate();
        let mut after = edited.text.split_inclusive('\n');
let is_flow = !own.is_empty() && text.contains("users: [");
        for (_, line) in kept.filter(|(at, line)| !(touched.contains(at) || may_go(line) || is_flow && own[0].contains(at))) {
            // The last line may get a line end.
            let is_same = |other: &str| other == line || other.trim_end() == line;
            prop_assert!(after.any(is_same), "{line:?} is gone or changed\n{text}\n--\n{}", edited.text);
        }
        prop_assert_eq!(edited.text.contains("\r\n"), text.contains("\r\n"));
        prop_assert_eq!(edit(&edited.text, &[]).text, edited.text);
    }
}
