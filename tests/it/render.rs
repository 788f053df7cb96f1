//! `rolecall render`: the file that says the same without includes, groups and dates.

use crate::support::cli::{Env, example};
use rolecall_config::{Source, check_source};
use rolecall_model::ProviderName;
use rolecall_plan::desired_hash;

const PEOPLE: &str = "kind: people
people:
  - { email: jane@acme.example }
  - { email: bob@acme.example, aliases: { hive: bob.k@acme.example } }
  - { email: max@acme.example, until: 2030-12-31 }
groups:
  - name: sre
    members: [max@acme.example]
  - name: payments
    members:
      - jane@acme.example
      - { person: bob@acme.example, until: 2030-06-30 }
      - group: sre
";

const PART: &str = "users:
  - { group: payments, roles: [Developer], resources: { shop: all } }
  - { email: jane@acme.example, roles: [Admin], resources: all, note: replaces the group's entry }
";

fn with_groups() -> Env {
    let env = Env::new();
    env.write("people.yaml", PEOPLE);
    env.write("teams/payments.yaml", PART);
    let hive = example("hive.yaml");
    let (head, rest) = hive.split_once("\nusers:").unwrap();
    let (_, keys) = rest.split_once("\nkeys:").unwrap();
    env.write("hive.yaml", format!("{head}\ninclude: [people.yaml, teams/*.yaml]\nkeys:{keys}"));
    env
}

fn hash(text: &str) -> String {
    let (desired, findings) = check_source(&Source::inline("x.yaml", text), rolecall_providers::format);
    desired_hash(&desired.unwrap_or_else(|| panic!("{findings:#?}\n{text}")))
}

#[test]
fn a_rendered_file_says_the_same() {
    for provider in ProviderName::ALL {
        let name = format!("{provider}.yaml");
        let env = Env::new();
        env.write(&name, example(&name));
        for origins in [&[][..], &["--origins"]] {
            let said = env.run(&[&["render", &name], origins].concat());
            assert_eq!(said.code, 0, "{}", said.all());
            assert_eq!(hash(&said.stdout), hash(&example(&name)), "{}", said.stdout);
        }
    }
}

#[test]
fn groups_and_dates_are_resolved_and_each_value_has_its_place() {
    let env = with_groups();
    let said = env.run(&["render", "--origins", "--now", "2030-07-01T00:00:00Z", "hive.yaml"]);
    let users = said.stdout.split_once("\nusers:\n").unwrap().1;
    let expected = [
        "  - email: jane@acme.example                            # teams/payments.yaml:3",
        "    roles: [Admin]                                      # teams/payments.yaml:3",
        "    resources: all                                      # teams/payments.yaml:3",
        "    note: replaces the group's entry                    # teams/payments.yaml:3",
        "  - email: bob.k@acme.example                           # people.yaml:12",
        "    absent: true                                        # people.yaml:12",
        "  - email: max@acme.example                             # people.yaml:8",
        "    roles: [Developer]                                  # teams/payments.yaml:2",
        "    resources:",
        "      shop: all                                         # teams/payments.yaml:2",
    ];
    assert_eq!(users.lines().collect::<Vec<_>>(), expected, "{users}");
    // Nothing but the platform's own fields is left.
    assert!(check_source(&Source::inline("x.yaml", &*said.stdout), rolecall_providers::format).0.is_some());
    let later = env.run(&["render", "--now", "2031-01-01T00:00:00Z", "hive.yaml"]).stdout;
    assert!(later.contains("  - email: max@acme.example\n    absent: true\n"), "{later}");
}

#[test]
fn files_with_errors_are_not_rendered() {
    let env = with_groups();
    env.write("people.yaml", PEOPLE.replace("- group: sre", "- group: srx"));
    let said = env.run(&["render", "hive.yaml"]);
    assert_eq!((said.code, &*said.stdout), (1, ""), "{}", said.all());
    assert!(
        said.stderr.contains("error[unknown-group]") && said.stderr.contains("Did you mean `sre`?"),
        "{}",
        said.all()
    );
}

#[test]
fn several_organisations_are_several_documents() {
    let env = with_groups();
    env.write("paradime.yaml", example("paradime.yaml"));
    let said = env.run(&["render"]);
    let documents: Vec<&str> = said.stdout.split("---\n").collect();
    assert_eq!(documents.len(), 2);
    assert!(documents[0].starts_with("# hive.yaml\nprovider: hive\n"), "{}", said.stdout);
    assert!(documents[1].starts_with("# paradime.yaml\nprovider: paradime\n"), "{}", said.stdout);
}

/// The notes of an entry, of its group and of the person are one note.
#[test]
fn notes_are_rendered() {
    let env = with_groups();
    env.write(
        "people.yaml",
        PEOPLE
            .replace("name: sre\n", "name: sre\n    note: of the inner group\n")
            .replace("name: payments\n", "name: payments\n    note: of the group\n")
            .replace("hive: bob.k@acme.example }", "hive: bob.k@acme.example }, note: of bob"),
    );
    env.write("teams/payments.yaml", PART.replace("{ shop: all } }", "{ shop: all }, note: of the entry }"));
    let said = env.run(&["render", "--now", "2030-01-01T00:00:00Z", "hive.yaml"]);
    assert!(said.stdout.contains("    note: of the entry; of the group; of bob\n"), "{}", said.all());
    assert!(said.stdout.contains("    note: replaces the group's entry\n"), "{}", said.all());
    assert_eq!(said.stdout.matches("    note: ").count(), 3, "{}", said.stdout);
    // The notes say the same once more.
    env.write("hive.yaml", said.stdout.as_str());
    let again = env.run(&["render", "hive.yaml"]);
    assert_eq!(again.stdout, said.stdout, "{}", again.stderr);
}
