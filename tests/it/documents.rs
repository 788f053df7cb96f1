//! Every GraphQL document is valid against the vendor's schema, which the sandbox executes, and within the platform's
//! limits.

use std::path::Path;

use apollo_compiler::ast::OperationType;
use apollo_compiler::executable::{Selection, SelectionSet};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use rolecall_graphql::{BatchPart, Mutation, Query, fitting_count};
use rolecall_model::ProviderName;
use rolecall_providers::{bitpanda, hive, paradime, rapidapi};
use rolecall_sandbox::rapidapi::{Generation, RapidApi};

/// The documents of a provider, with the schemas against which each has to be valid.
struct Api {
    schemas: Vec<(&'static str, Valid<Schema>)>,
    queries: Vec<Query>,
    mutations: &'static [(&'static str, Mutation)],
}

/// Returns our copy of the part of an API that rolecall uses.
fn committed(file: &str) -> Valid<Schema> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/rolecall-sandbox/schemas").join(file);
    Schema::parse_and_validate(std::fs::read_to_string(path).unwrap(), file).unwrap()
}

fn served(sdl: String) -> Valid<Schema> {
    Schema::parse_and_validate(sdl, "sandbox.graphql").unwrap()
}

fn apis() -> Vec<Api> {
    vec![
        Api {
            schemas: vec![
                ("documented", committed("bitpanda.graphql")),
                ("sandbox", served(rolecall_sandbox::bitpanda::Bitpanda::sdl())),
            ],
            queries: bitpanda::DOCUMENTED_QUERIES.to_vec(),
            mutations: bitpanda::MUTATIONS,
        },
        Api {
            schemas: vec![
                ("8.1.2", committed("hive-8.1.2.graphql")),
                ("newest", committed("hive-newest.graphql")),
            ],
            queries: hive::QUERIES.to_vec(),
            mutations: hive::MUTATIONS,
        },
        rapidapi_of(Generation::August2023, rapidapi::QUERIES_BY_GENERATION[0]),
        rapidapi_of(Generation::Documented, rapidapi::QUERIES_BY_GENERATION[1]),
        Api {
            schemas: vec![("documented", committed("paradime.graphql"))],
            queries: paradime::QUERIES.to_vec(),
            mutations: paradime::MUTATIONS,
        },
    ]
}

/// Returns the documents for a hub of that generation.
fn rapidapi_of(generation: Generation, queries: &[Query]) -> Api {
    let queries = rapidapi::QUERIES.iter().chain(queries).copied().collect();
    Api { schemas: vec![("sandbox", served(RapidApi::sdl(generation)))], queries, mutations: rapidapi::MUTATIONS }
}

fn document(schema: &Valid<Schema>, text: &str, name: &str) -> Valid<ExecutableDocument> {
    ExecutableDocument::parse_and_validate(schema, text, name).unwrap_or_else(|why| panic!("{name}: {why}"))
}

#[test]
fn queries_ask_for_nothing_undocumented_and_are_queries() {
    for Api { schemas, queries, .. } in apis() {
        for (_, schema) in &schemas {
            for query in &queries {
                let document = document(schema, query.text, query.name);
                let operation = document.operations.get(Some(query.name)).unwrap();
                assert_eq!(operation.operation_type, OperationType::Query, "{}", query.name);
                assert_eq!(document.operations.len(), 1);
            }
        }
    }
}

#[test]
fn mutations_ask_for_nothing_undocumented_and_are_single_mutations() {
    for Api { schemas, mutations, .. } in apis() {
        for (release, schema) in &schemas {
            for (field, mutation) in mutations {
                // This is sent only to a server whose introspection shows it.
                if *release == "8.1.2" && *field == "deleteAccessToken" {
                    assert!(ExecutableDocument::parse_and_validate(schema, mutation.text, "x").is_err());
                    continue;
                }
                let document = document(schema, mutation.text, mutation.name);
                let operation = document.operations.get(Some(mutation.name)).unwrap();
                assert_eq!(operation.operation_type, OperationType::Mutation, "{field}");
                let root: Vec<_> = operation.root_fields(&document).map(|field| field.name.to_string()).collect();
                assert_eq!(root, [*field]);
            }
        }
    }
}

#[test]
fn every_type_name_in_a_bitpanda_mutation_is_in_the_table_of_guesses() {
    let schema = committed("bitpanda.graphql");
    for (field, mutation) in bitpanda::MUTATIONS {
        let document = document(&schema, mutation.text, mutation.name);
        let operation = document.operations.get(Some(mutation.name)).unwrap();
        let types: Vec<String> =
            operation.variables.iter().map(|variable| variable.ty.inner_named_type().to_string()).collect();
        let guesses: Vec<&str> = bitpanda::GUESSED_TYPES
            .iter()
            .filter(|(operation, _)| operation == field)
            .map(|(_, name)| *name)
            .collect();
        assert_eq!(types, guesses, "{field}");
    }
}

#[test]
fn the_bitpanda_sandbox_keeps_enabled_of_users_to_itself() {
    let schema = served(rolecall_sandbox::bitpanda::Bitpanda::sdl());
    let fields = &schema.get_object("OrganisationUser").unwrap().fields;
    assert!(!fields.contains_key("enabled"));
}

/// Returns the depth of a selection and the number of fields in it with subfields, which is the gateway's cost.
fn measure(document: &ExecutableDocument, set: &SelectionSet) -> (usize, usize) {
    let (mut depth, mut cost) = (0, 0);
    for selection in &set.selections {
        let (below, price) = match selection {
            Selection::Field(field) => {
                let (below, price) = measure(document, &field.selection_set);
                (below + 1, price + usize::from(!field.selection_set.selections.is_empty()))
            }
            Selection::FragmentSpread(spread) => {
                measure(document, &document.fragments[&spread.fragment_name].selection_set)
            }
            Selection::InlineFragment(fragment) => measure(document, &fragment.selection_set),
        };
        depth = depth.max(below);
        cost += price;
    }
    (depth, cost)
}

/// The server accepts 800 tokens, 20 aliases and depth 22; the public gateway accepts depth 20 and cost 1000
/// (measured on Hive 8.1.2 and its gateway). Cost counts fields with subfields, as the gateway's own estimate of
/// single mutations does.
#[test]
fn hive_documents_are_within_every_limit() {
    let schema = committed("hive-newest.graphql");
    let queries = hive::QUERIES.iter().map(|query| (query.name, query.text));
    let mutations = hive::MUTATIONS.iter().map(|(_, mutation)| (mutation.name, mutation.text));
    for (name, text) in queries.chain(mutations) {
        let tokens = lexed_tokens(text);
        let document = document(&schema, text, name);
        let operation = document.operations.get(Some(name)).unwrap();
        let (depth, cost) = measure(&document, &operation.selection_set);
        assert!(tokens < 800, "{name} has {tokens} tokens");
        assert!(depth <= 20, "{name} is {depth} deep");
        assert!(cost + 10 <= 1000, "{name} costs {cost}");
        assert!(text.matches(": __type").count() <= 20, "{name} has too many aliases");
    }
}

/// The largest batches of each kind of mutation, and of all kinds mixed, are valid everywhere and within every
/// limit.
#[test]
fn hive_documents_for_several_are_valid_and_within_every_limit() {
    let limits = rolecall_providers::of(ProviderName::Hive).traffic().batch_limits.unwrap();
    let joinable: Vec<&Mutation> = hive::MUTATIONS
        .iter()
        .map(|(_, mutation)| mutation)
        .filter(|mutation| mutation.joinable.is_some())
        .collect();
    assert_eq!(joinable.len(), 7);
    let names: Vec<String> = (1..=40).map(|place| format!("m{}", place + 10_000)).collect();
    let kinds = joinable.iter().map(|mutation| vec![*mutation]).chain([joinable.clone()]);
    for kinds in kinds {
        let parts: Vec<BatchPart<'_>> = names
            .iter()
            .zip(kinds.iter().cycle())
            .map(|(alias, mutation)| BatchPart { alias, mutation })
            .collect();
        let count = fitting_count(&parts, limits);
        assert!(count >= 15, "{count} {kinds:?}");
        let text = rolecall_graphql::batch_document(&parts[..count]).unwrap();
        assert!(lexed_tokens(&text.replace("...", ".")) <= 800, "{text}");
        for release in ["newest", "8.1.2"] {
            let schema = committed(&format!("hive-{release}.graphql"));
            if release == "8.1.2" && text.contains("deleteAccessToken") {
                continue;
            }
            let document = document(&schema, &text, "Batch");
            let operation = document.operations.get(Some("Batch")).unwrap();
            let (depth, cost) = measure(&document, &operation.selection_set);
            assert!(depth <= 20 && cost + 10 <= 1000, "{depth} {cost}");
            assert_eq!(operation.root_fields(&document).count(), count);
        }
        if let Some(more) = parts.get(..=count) {
            let tokens = lexed_tokens(&rolecall_graphql::batch_document(more).unwrap().replace("...", "."));
            assert!(count == 20 || tokens > 800, "one more would have fitted: {tokens}");
        }
    }
}

/// An answer that can't be read again is never lost because another mutation of the batch failed.
#[test]
fn secrets_and_mails_are_asked_for_by_themselves() {
    for (field, mutation) in ProviderName::ALL.iter().flat_map(|name| rolecall_providers::of(*name).mutations()) {
        let alone = ["createOrganizationAccessToken", "inviteToOrganizationByEmail"].contains(field);
        assert!(!alone || mutation.joinable.is_none(), "{field}");
    }
}

/// Counts names, numbers, strings and punctuation, which a server's lexer counts as tokens.
fn lexed_tokens(text: &str) -> usize {
    let mut count = 0;
    let mut in_word = false;
    let mut in_string = false;
    for c in text.chars() {
        if in_string {
            in_string = c != '"';
            continue;
        }
        let word = c.is_alphanumeric() || c == '_';
        count += usize::from((word && !in_word) || (!word && !c.is_whitespace() && c != ','));
        in_word = word;
        in_string = c == '"';
    }
    count
}

/// For servers whose projects have no type, the query differs only in that field.
#[test]
fn hive_has_one_query_with_the_type_of_projects_and_one_without() {
    let texts: Vec<&str> =
        hive::QUERIES.iter().filter(|query| query.name == "Organization").map(|query| query.text).collect();
    let [with, without] = texts[..] else { panic!("{}", texts.len()) };
    let lines: Vec<&str> = with.lines().filter(|line| line.trim() != "type").collect();
    assert_eq!(lines, without.lines().collect::<Vec<_>>());
    assert_ne!(with, without);
}

/// An invitation's id contains the code that redeems it, and the answer to its deletion contains the id.
#[test]
fn hive_documents_never_ask_for_the_id_of_an_invitation() {
    for (release, schema) in
        [("newest", committed("hive-newest.graphql")), ("8.1.2", committed("hive-8.1.2.graphql"))]
    {
        let queries = hive::QUERIES.iter().map(|query| (query.name, query.text));
        let mutations = hive::MUTATIONS.iter().map(|(_, mutation)| (mutation.name, mutation.text));
        for (name, text) in queries.chain(mutations).filter(|(name, _)| *name != "DeleteAccessToken") {
            let document = document(&schema, text, name);
            for field in document.operations.get(Some(name)).unwrap().all_fields(&document) {
                let parent = field.ty().inner_named_type().to_string();
                assert!(field.name != "deletedOrganizationInvitationId", "{release} {name}");
                if parent == "OrganizationInvitation" {
                    let mut asked = field.selection_set.fields().map(|field| field.name.as_str());
                    assert!(asked.all(|name| name != "id"), "{release} {name}");
                }
            }
        }
    }
}

/// Each document has one root field, as the vendor's release notes require, except for the two for hubs that
/// accept more.
#[test]
fn rapidapi_documents_ask_for_one_field_and_for_no_secret() {
    let schema = served(RapidApi::sdl(Generation::Documented));
    let mut used = Vec::new();
    let late = rapidapi::QUERIES.iter().chain(rapidapi::QUERIES_BY_GENERATION[1]);
    let queries = late.map(|query| (query.name, query.text, query.context));
    let mutations =
        rapidapi::MUTATIONS.iter().map(|(_, mutation)| (mutation.name, mutation.text, mutation.context));
    for (name, text, context) in queries.chain(mutations) {
        let document = document(&schema, text, name);
        let operation = document.operations.get(Some(name)).unwrap();
        let roots: Vec<String> = operation.root_fields(&document).map(|field| field.name.to_string()).collect();
        if roots == ["__schema"] {
            continue;
        }
        assert!(roots.len() == 1 || name.starts_with("Start"), "{name}");
        for root in roots {
            let known = rapidapi::OPERATIONS.iter().find(|(operation, _)| *operation == root);
            assert_eq!(known.map(|(_, context)| *context), Some(context), "{name}: {root}");
            used.push(root);
        }
        for field in operation.all_fields(&document) {
            let secrets = ["key", "authorizationValues", "xMashapeKey", "token"];
            let of_role = field.name == "key" && name != "Organization";
            assert!(of_role || !secrets.contains(&field.name.as_str()), "{name}: {}", field.name);
        }
    }
    for (operation, _) in rapidapi::OPERATIONS {
        assert!(used.iter().any(|used| used == operation), "{operation} isn't used");
    }
}

/// A generation has its own documents only because the other generations don't accept them.
#[test]
fn rapidapi_generations_differ_in_what_is_asked_of_them() {
    let schemas = [Generation::August2023, Generation::Documented].map(|it| served(RapidApi::sdl(it)));
    for (generation, other) in [(0, 1), (1, 0)] {
        for query in rapidapi::QUERIES_BY_GENERATION[generation] {
            assert!(
                ExecutableDocument::parse_and_validate(&schemas[other], query.text, query.name).is_err(),
                "{}",
                query.text
            );
        }
    }
}
