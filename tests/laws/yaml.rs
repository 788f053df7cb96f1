//! The two readers of YAML agree. A tag makes the slow one read the file, and changes nothing else.

use std::fmt::Write as _;

use proptest::prelude::*;
use rolecall_config::{Source, check_source};
use rolecall_model::ProviderName;

use crate::Law;
use crate::support::cli::example;

/// The findings and the content of a file, with all places.
fn read(text: &str) -> (Vec<String>, String) {
    let (file, findings) = check_source(&Source::inline("x.yaml", text), rolecall_providers::format);
    (findings.iter().map(|finding| format!("{finding:?}")).collect(), format!("{file:#?}"))
}

fn both_agree(text: &str) -> Law {
    let (fast, slow) = (format!("{text}\nx-last: 'x'\n"), format!("{text}\nx-last: !!str x\n"));
    let (fast, slow) = (read(&fast), read(&slow));
    // The slow one reads what has an error in either case.
    if !fast.0.iter().any(|finding| finding.contains("YamlSyntax")) {
        prop_assert_eq!(fast, slow, "{}", text);
    }
    Ok(())
}

/// Texts that look like numbers, truth values, nothing, times and addresses.
fn scalars() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+]?[0-9_.]{1,5}([eE][-+]?[0-9]{1,3})?",
        "[-+]?0[xobXOB]_?[0-9a-f_]{0,17}",
        "[-+]?[0-9]{17,21}",
        "[-+]?\\.?(nan|NaN|inf|Inf|infinity|INF)",
        "(?i)(true|false|yes|no|on|off|y|n|null|~)",
        "20[0-9]{2}-[01][0-9]-[0-3][0-9]",
        "[-+.~0-9a-zA-Z_@]{0,7}",
        "'[a-z0-9 ]{0,4}'|\"[a-z0-9 ]{0,4}\"",
    ]
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn both_readers_know_the_same_values(values in proptest::collection::vec(scalars(), 12)) {
        let mut text = "provider: bitpanda\nusers:\n".to_owned();
        for four in values.chunks(4) {
            let [email, name, enabled, role] = four else { continue };
            let _ = writeln!(text, "  - email: {email}\n    first_name:   &n {name}\n    last_name: *n\n    enabled: {enabled}\n    roles: [{role}, &r a, *r]");
        }
        both_agree(&text)?;
    }

    #[test]
    fn both_readers_know_the_same_files(
        text in "[-{}\\[\\],:#&*!'\"%@ \\na-c1]{0,12}",
        cut in 0..1500_usize,
        provider in proptest::sample::select(ProviderName::ALL),
    ) {
        let example = example(&format!("{provider}.yaml"));
        let at = (0..=cut.min(example.len())).rev().find(|at| example.is_char_boundary(*at)).unwrap_or(0);
        both_agree(&format!("{}{text}{}", &example[..at], &example[at..]))?;
    }
}

/// A value of each kind below an alias, an anchor in an anchor, and an alias as a key.
#[test]
fn both_readers_give_an_alias_its_own_place() {
    for values in
        ["&r [a, &b b], *b, *r", "&r { &k a: [0x1_0, Yes, ~] }, *k, *r, { *k : *r }", "*gone, &r a, &r b, *r"]
    {
        both_agree(&format!("provider: bitpanda\nusers: [{values}]\n")).unwrap();
        both_agree(&format!("provider: bitpanda\nx-a: [{values}]\nusers:\n  - *r\nkeys: *r")).unwrap();
    }
}
