//! Edits of a document: the result means what was asked for, and everything else stays byte for byte.

use std::fmt::Write as _;

use rolecall_config::{At, Edit, Yaml, edit};

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

/// One edit of a text: the name of the case, the text before it, the edits, and the text after them.
struct Case(&'static str, &'static str, Vec<Edit>, &'static str);

fn check(cases: Vec<Case>) {
    let mut wrong = String::new();
    for Case(name, before, edits, after) in cases {
        let edited = edit(before, &edits);
        if edited.text != after || !edited.refused.is_empty() {
            let _ = writeln!(wrong, "== {name}\n{}\n-- wanted\n{after}\n{:?}", edited.text, edited.refused);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_field_gets_another_value_and_its_line_keeps_the_rest() {
    let tree = || Yaml::Map(vec![("shop".to_owned(), Yaml::text("all")), ("blog".to_owned(), Yaml::text("all"))]);
    check(vec![
        Case(
            "names of a list in flow style are removed and added",
            "users:\n  - email: a\n    roles: [One, 'Two', Three] # why\n",
            vec![set(0, "roles", names(&["Two", "Four"]))],
            "users:\n  - email: a\n    roles: ['Two', Four] # why\n",
        ),
        Case(
            "names of a list in block style keep their comments",
            "users:\n  - email: a\n    roles:\n      # first\n      - One\n      - Two # second\n    enabled: true\n",
            vec![set(0, "roles", names(&["Two", "Four"]))],
            "users:\n  - email: a\n    roles:\n      # first\n      - Two # second\n      - Four\n    enabled: true\n",
        ),
        Case(
            "no name stays",
            "users:\n  - email: a\n    roles:\n      - One\n      - Two\n    enabled: true\n",
            vec![set(0, "roles", names(&["Four"]))],
            "users:\n  - email: a\n    roles: [Four]\n    enabled: true\n",
        ),
        Case(
            "no name stays, but the comment above them does",
            "users:\n  - email: a\n    roles:\n      # By the board.\n      - One # first\n      - Two\n    enabled: true\n",
            vec![set(0, "roles", names(&["Four", "Five"]))],
            "users:\n  - email: a\n    roles:\n      # By the board.\n      - Four\n      - Five\n    enabled: true\n",
        ),
        Case(
            "no name stays in brackets, but a comment does",
            "users:\n  - email: a\n    roles: [\n      # By the board.\n      One, # first\n      Two,\n    ]\n",
            vec![set(0, "roles", names(&["Four", "Five"]))],
            "users:\n  - email: a\n    roles: [\n      # By the board.\n      Four, Five\n    ]\n",
        ),
        Case(
            "a truth value",
            "users:\n  - { email: a, enabled: true } # x\n",
            vec![set(0, "enabled", Yaml::Bool(false))],
            "users:\n  - { email: a, enabled: false } # x\n",
        ),
        Case(
            "a tree keeps what stays in it",
            "users:\n  - email: a\n    resources:\n      shop:\n        production: all # live\n      old: all\n",
            vec![set(0, "resources", tree())],
            "users:\n  - email: a\n    resources:\n      shop: all\n      blog: all\n",
        ),
        Case(
            "a word becomes a tree",
            "users:\n  - email: a\n    resources: all # x\n",
            vec![set(0, "resources", tree())],
            "users:\n  - email: a\n    resources: { shop: all, blog: all } # x\n",
        ),
        Case(
            "line ends of Windows",
            "users:\r\n  - email: a\r\n    roles:\r\n      - One # c\r\n",
            vec![set(0, "roles", names(&["One", "Two"])), add("b")],
            "users:\r\n  - email: a\r\n    roles:\r\n      - One # c\r\n      - Two\r\n  - email: b\r\n    roles: [New]\r\n",
        ),
        Case(
            "JSON stays JSON",
            "{\"users\": [{\"email\": \"a\", \"roles\": [\"One\"]}]}",
            vec![set(0, "roles", names(&["Two"])), set(0, "enabled", Yaml::Bool(true)), add("b")],
            "{\"users\": [{\"email\": \"a\", \"roles\": [\"Two\"], \"enabled\": true}, {\"email\": \"b\", \"roles\": [\"New\"]}]}",
        ),
    ]);
}

#[test]
fn fields_are_added_and_removed() {
    check(vec![
        Case(
            "a field is added after the last one",
            "users:\n  - email: a # who\n  - email: b\n    roles: [R] # why\n\n  - email: c\n",
            vec![set(1, "enabled", Yaml::Bool(true)), set(0, "enabled", Yaml::Bool(true))],
            "users:\n  - email: a # who\n    enabled: true\n  - email: b\n    roles: [R] # why\n    enabled: true\n\n  - email: c\n",
        ),
        Case(
            "in flow style, and at the end of a file without a last line end",
            "users:\n  - {email: a}\n  - email: b",
            vec![set(0, "enabled", Yaml::Bool(true)), set(1, "enabled", Yaml::Bool(true))],
            "users:\n  - {email: a, enabled: true}\n  - email: b\n    enabled: true",
        ),
        Case(
            "a field is removed with its line",
            "users:\n  - email: a\n    absent: true # gone\n    # stays\n    roles: [R]\n",
            vec![unset(0, "absent")],
            "users:\n  - email: a\n    # stays\n    roles: [R]\n",
        ),
        Case(
            "the field beside the dash is removed",
            "users:\n  - absent: true\n    email: a\n",
            vec![unset(0, "absent")],
            "users:\n  - email: a\n",
        ),
        Case(
            "in flow style",
            "users: [ { absent: true, email: a }, { email: b, absent: true } ]\n",
            vec![unset(0, "absent"), unset(1, "absent")],
            "users: [ { email: a }, { email: b } ]\n",
        ),
        Case(
            "the organisation's settings",
            "settings:\n  email: a # x\n  seats: 6\nusers: []\n",
            vec![Edit::Change {
                at: At::Field("settings"),
                set: vec![("seats", Yaml::Number(7))],
                unset: vec!["email"],
            }],
            "settings:\n  seats: 7\nusers: []\n",
        ),
    ]);
}

#[test]
fn entries_are_removed_with_the_comment_that_is_only_about_them() {
    check(vec![
        Case(
            "its own comment goes",
            "users:\n  # Jane\n  - email: a # x\n\n  # Bob\n  - email: b\n    roles: [R]\n\nkeys: []\n",
            vec![remove(0)],
            "users:\n  # Bob\n  - email: b\n    roles: [R]\n\nkeys: []\n",
        ),
        Case(
            "the last one",
            "users:\n  # Jane\n  - email: a # x\n\n  # Bob\n  - email: b\n    roles: [R]\n\nkeys: []\n",
            vec![remove(1)],
            "users:\n  # Jane\n  - email: a # x\n\nkeys: []\n",
        ),
        Case(
            "a heading of several stays",
            "users:\n  # Team\n  - email: a\n  - email: b\n  - email: c\n",
            vec![remove(0), remove(2)],
            "users:\n  # Team\n  - email: b\n",
        ),
        Case(
            "all of them",
            "users: # nobody\n- email: a\n- email: b\nkeys: []\n",
            vec![remove(0), remove(1)],
            "users: [] # nobody\nkeys: []\n",
        ),
        Case(
            "in flow style",
            "users: [ { email: a }, # A\n  { email: b }, # B\n  { email: c } ] # end\n",
            vec![remove(1)],
            "users: [ { email: a }, # A\n  { email: c } ] # end\n",
        ),
        Case(
            "the last one in flow style",
            "users: [ { email: a }, { email: b } ]\n",
            vec![remove(1)],
            "users: [ { email: a } ]\n",
        ),
        Case(
            "one removed, and another one added in its place",
            "users:\n  - email: a\n",
            vec![remove(0), add("new")],
            "users:\n  - email: new\n    roles: [New]\n",
        ),
    ]);
}

#[test]
fn entries_are_added_in_the_style_and_the_order_of_the_list() {
    check(vec![
        Case(
            "at the end, before a comment about something else",
            "users:\n- {email: b}\n- {email: a} # x\n\n# about nobody\nkeys: []\n",
            vec![add("new")],
            "users:\n- {email: b}\n- {email: a} # x\n- { email: new, roles: [New] }\n\n# about nobody\nkeys: []\n",
        ),
        Case(
            "with a blank line between entries",
            "users:\n  - email: b\n\n  - email: a\n",
            vec![add("new")],
            "users:\n  - email: b\n\n  - email: a\n\n  - email: new\n    roles: [New]\n",
        ),
        Case(
            "an ordered list stays ordered",
            "users:\n  # A\n  - email: a\n  - email: m\n  - email: z\n",
            vec![add("new"), add("zz"), add("b")],
            "users:\n  # A\n  - email: a\n  - email: b\n    roles: [New]\n  - email: m\n  - email: new\n    roles: [New]\n  - email: z\n  - email: zz\n    roles: [New]\n",
        ),
        Case(
            "an empty list",
            "users: [] # nobody yet\nkeys: []\n",
            vec![add("new")],
            "users: # nobody yet\n  - email: new\n    roles: [New]\nkeys: []\n",
        ),
        Case(
            "a missing list, before the end of the document",
            "provider: hive\n# the end\n...\n",
            vec![add("new")],
            "provider: hive\n# the end\n\nusers:\n  - email: new\n    roles: [New]\n...\n",
        ),
        Case(
            "one line for each, between brackets",
            "users: [\n  { email: a },\n  { email: b }\n]\n",
            vec![add("new")],
            "users: [\n  { email: a },\n  { email: b },\n  { email: new, roles: [New] }\n]\n",
        ),
    ]);
}

#[test]
fn an_alias_is_written_out_where_its_entry_changes() {
    check(vec![
        Case(
            "an entry",
            "x-jane: &jane { email: a, roles: [R] }\nusers:\n  - *jane # lead\n",
            vec![set(0, "roles", names(&["S"]))],
            "x-jane: &jane { email: a, roles: [R] }\nusers:\n  - { email: a, roles: [S] } # copied from *jane # lead\n",
        ),
        Case(
            "an entry between brackets",
            "x-jane: &jane { email: a, roles: [R] }\nusers: [ *jane , { email: b } ]\n",
            vec![set(0, "roles", names(&["S"]))],
            "x-jane: &jane { email: a, roles: [R] }\nusers: [ { email: a, roles: [S] } # copied from *jane\n   , { email: b } ]\n",
        ),
        Case(
            "the value of a field",
            "x-devs: &devs [R]\nusers:\n  - email: a\n    roles: *devs\n  - email: b\n    roles: *devs\n",
            vec![set(0, "roles", names(&["S"]))],
            "x-devs: &devs [R]\nusers:\n  - email: a\n    roles: [S] # no longer *devs\n  - email: b\n    roles: *devs\n",
        ),
        Case(
            "the whole list",
            "x-all: &all [ { email: a }, { email: b } ]\nusers: *all # people\nkeys: []\n",
            vec![remove(0), add("new")],
            "x-all: &all [ { email: a }, { email: b } ]\nusers: # copied from *all\n  - { email: b }\n  - { email: new, roles: [New] } # people\nkeys: []\n",
        ),
    ]);
}

#[test]
fn an_anchor_that_is_used_elsewhere_stays() {
    let text = "users:\n  - &jane { email: a, roles: [R] }\n  - email: b\n    roles: &r [R]\n  - email: c\n    roles: *r\nx-j: *jane\n";
    for refused in [remove(0), set(0, "roles", names(&["S"])), remove(1), set(1, "roles", names(&["S"]))] {
        let edited = edit(text, &[refused.clone(), set(2, "enabled", Yaml::Bool(true))]);
        assert!(edited.refused[&0].contains("which other parts of the file use"), "{refused:?}: {edited:?}");
        assert_eq!(
            edited.text,
            text.replace("    roles: *r\n", "    roles: *r\n    enabled: true\n"),
            "{refused:?}"
        );
    }
}

fn members(index: usize, members: Vec<Yaml>) -> Edit {
    Edit::Change { at: At::Item("groups", index), set: vec![("members", Yaml::List(members))], unset: Vec::new() }
}

#[test]
fn members_of_groups_come_and_go_and_the_others_stay_as_they_are() {
    let sre = || Yaml::Map(vec![("group".to_owned(), Yaml::text("sre"))]);
    let bob = || {
        let fields = [("person", "b@x.example"), ("until", "2026-12-15")];
        Yaml::Map(fields.into_iter().map(|(name, value)| (name.to_owned(), Yaml::text(value))).collect())
    };
    check(vec![
        Case(
            "a member in flow style goes",
            "groups:\n  - name: g\n    members: [a@x.example, { person: b@x.example, until: 2026-12-15 }, { group: sre }] # why\n",
            vec![members(0, vec![Yaml::text("a@x.example"), sre()])],
            "groups:\n  - name: g\n    members: [a@x.example, { group: sre }] # why\n",
        ),
        Case(
            "a member in block style goes with the comment above it",
            "groups:\n  - name: g\n    members:\n      - person: b@x.example\n        until: 2026-12-15\n      # On call.\n      - a@x.example # here\n      # The others.\n      - { group: sre }\n",
            vec![members(0, vec![bob(), sre()])],
            "groups:\n  - name: g\n    members:\n      - person: b@x.example\n        until: 2026-12-15\n      # The others.\n      - { group: sre }\n",
        ),
        Case(
            "several lines go",
            "groups:\n  - name: g\n    members:\n      - a@x.example\n      - person: b@x.example\n        until: 2026-12-15\n      - c@x.example\n",
            vec![members(0, vec![Yaml::text("a@x.example"), Yaml::text("c@x.example")])],
            "groups:\n  - name: g\n    members:\n      - a@x.example\n      - c@x.example\n",
        ),
        Case(
            "the last one goes, and the list is empty",
            "groups:\n  - name: g\n    members:\n      - a@x.example\n  - { name: h, members: [a@x.example] }\n",
            vec![members(0, Vec::new()), members(1, Vec::new())],
            "groups:\n  - name: g\n    members: []\n  - { name: h, members: [] }\n",
        ),
        Case(
            "somebody comes",
            "groups:\n  - name: g\n    members:\n      - { group: sre } # all\n  - name: h\n    members: []\n  - name: i\n",
            vec![
                members(0, vec![sre(), bob()]),
                members(1, vec![bob()]),
                members(2, vec![Yaml::text("a@x.example")]),
            ],
            "groups:\n  - name: g\n    members:\n      - { group: sre } # all\n      - { person: b@x.example, until: \"2026-12-15\" }\n  - name: h\n    members: [{ person: b@x.example, until: \"2026-12-15\" }]\n  - name: i\n    members: [a@x.example]\n",
        ),
    ]);
}

#[test]
fn a_member_whose_anchor_is_used_elsewhere_stays() {
    let text = "groups:\n  - name: g\n    members: [&a a@x.example, b@x.example]\n    except: [*a]\n";
    let edited = edit(text, &[members(0, vec![Yaml::text("b@x.example")])]);
    assert_eq!(edited.text, text);
    assert!(edited.refused[&0].contains("the anchor `&a`"), "{:?}", edited.refused);
}

#[test]
fn a_field_of_the_document_goes_above_the_lists() {
    let include = |paths: &[&str]| {
        let paths = Yaml::List(paths.iter().map(Yaml::text).collect());
        vec![Edit::Change { at: At::Document, set: vec![("include", paths)], unset: Vec::new() }]
    };
    check(vec![
        Case(
            "a comment stays above its list",
            "provider: hive # it\n\n# Everybody.\nusers:\n  - email: a\n",
            include(&["people.yaml"]),
            "provider: hive # it\n\ninclude: [people.yaml]\n\n# Everybody.\nusers:\n  - email: a\n",
        ),
        Case(
            "lists come first",
            "# ours\nusers: []\r\nprovider: hive",
            include(&["people.yaml"]),
            "# ours\nusers: []\r\nprovider: hive\r\ninclude: [people.yaml]",
        ),
        Case(
            "one document in braces",
            "{\"provider\": \"hive\", \"users\": []}\n",
            include(&["people.yaml"]),
            "{\"provider\": \"hive\", \"users\": [], \"include\": [\"people.yaml\"]}\n",
        ),
        Case(
            "more paths",
            "provider: hive\nusers: []\ninclude:\n  - teams/*.yaml # by team\n",
            include(&["teams/*.yaml", "people.yaml"]),
            "provider: hive\nusers: []\ninclude:\n  - teams/*.yaml # by team\n  - people.yaml\n",
        ),
    ]);
}
