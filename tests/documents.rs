//! Every document is valid GraphQL against what the vendor documents and against the sandbox.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

use apollo_compiler::ast::OperationType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use rolecall::provider::bitpanda::{DOCUMENTED_QUERIES, GUESSED_TYPES, MUTATIONS};
use rolecall::sandbox::bitpanda::Bitpanda;

fn documented() -> Valid<Schema> {
    let text = include_str!("schemas/bitpanda.graphql");
    Schema::parse_and_validate(text, "bitpanda.graphql").unwrap()
}

fn sandbox() -> Valid<Schema> {
    Schema::parse_and_validate(Bitpanda::sdl(), "sandbox.graphql").unwrap()
}

fn document(schema: &Valid<Schema>, text: &str, name: &str) -> Valid<ExecutableDocument> {
    ExecutableDocument::parse_and_validate(schema, text, name).unwrap_or_else(|why| panic!("{name}: {why}"))
}

#[test]
fn queries_ask_for_nothing_undocumented_and_are_queries() {
    for schema in [documented(), sandbox()] {
        for query in DOCUMENTED_QUERIES {
            let document = document(&schema, query.text, query.name);
            let operation = document.operations.get(Some(query.name)).unwrap();
            assert_eq!(operation.operation_type, OperationType::Query, "{}", query.name);
            assert_eq!(document.operations.len(), 1);
        }
    }
}

#[test]
fn mutations_ask_for_nothing_undocumented_and_are_single_mutations() {
    for schema in [documented(), sandbox()] {
        for (field, mutation) in MUTATIONS {
            let document = document(&schema, mutation.text, mutation.name);
            let operation = document.operations.get(Some(mutation.name)).unwrap();
            assert_eq!(operation.operation_type, OperationType::Mutation, "{field}");
            let root: Vec<_> = operation.root_fields(&document).map(|field| field.name.to_string()).collect();
            assert_eq!(root, [*field]);
        }
    }
}

#[test]
fn every_type_name_in_a_mutation_stands_in_the_table_of_guesses() {
    for (field, mutation) in MUTATIONS {
        let document = document(&documented(), mutation.text, mutation.name);
        let operation = document.operations.get(Some(mutation.name)).unwrap();
        let types: Vec<String> =
            operation.variables.iter().map(|variable| variable.ty.inner_named_type().to_string()).collect();
        let guesses: Vec<&str> =
            GUESSED_TYPES.iter().filter(|(operation, _)| operation == field).map(|(_, name)| *name).collect();
        assert_eq!(types, guesses, "{field}");
    }
}

#[test]
fn the_sandbox_keeps_enabled_of_users_to_itself() {
    let schema = sandbox();
    let fields = &schema.get_object("OrganisationUser").unwrap().fields;
    assert!(!fields.contains_key("enabled"));
}
