//! Limits on the size of a document.

use apollo_compiler::ast::{Definition, Document, OperationDefinition, OperationType, Selection};

use super::Refused;
use crate::engine::{RequestError, RequestFault};

const ALIASES: usize = 20;
const DIRECTIVES: usize = 20;
const TOKENS: usize = 800;
const DEPTH: usize = 22;
const GATEWAY_TOKENS: usize = 1000;
const GATEWAY_DEPTH: usize = 20;

/// Refuses a document that is too large.
fn limit_error(message: &str, code: Option<&'static str>, from_server: bool) -> Refused {
    let (fault, message) = (RequestFault::Document, format!("Syntax Error: {message}"));
    Refused { error: RequestError { fault, message, at: None }, code, from_server }
}

fn too_many_tokens(most: usize, from_server: bool) -> Refused {
    let message = format!("Token limit of {most} exceeded.");
    limit_error(&message, RequestFault::Syntax.code(), from_server)
}

/// Checks the number of tokens. A document above the limit isn't even parsed.
pub fn check_text(tokens: &[usize], gateway: bool) -> Option<Refused> {
    let most = if gateway { GATEWAY_TOKENS } else { TOKENS };
    (tokens.len() > most).then(|| too_many_tokens(most, false))
}

/// Checks depth, aliases and tokens. A gateway forwards each root field of a mutation by itself, so behind it the
/// server's limits apply to each of them.
pub fn check_document(document: &Document, tokens: &[usize], gateway: bool) -> Vec<Refused> {
    let mut errors = Vec::new();
    let operations = || document.definitions.iter().filter_map(Definition::as_operation_definition);
    let fragments = || document.definitions.iter().filter_map(Definition::as_fragment_definition);
    let most = if gateway { GATEWAY_DEPTH } else { DEPTH };
    let depth = operations().map(|it| depth(document, &it.selection_set, (0, 0))).max().unwrap_or(0);
    if depth > most {
        errors.push(limit_error(&format!("Query depth limit of {most} exceeded, found {depth}."), None, false));
    }
    let shared: usize = fragments().map(|it| aliases(&it.selection_set)).sum();
    let parts: Vec<usize> = if gateway {
        operations().flat_map(|operation| part_aliases(operation)).collect()
    } else {
        vec![operations().map(|it| aliases(&it.selection_set)).sum()]
    };
    if let Some(found) = parts.into_iter().map(|part| part + shared).find(|found| *found > ALIASES) {
        errors.push(limit_error(&format!("Aliases limit of {ALIASES} exceeded, found {found}."), None, gateway));
    }
    let written = operations().map(|it| it.directives.len() + directives(&it.selection_set));
    let found: usize = written.chain(fragments().map(|it| directives(&it.selection_set))).sum();
    if !gateway && found > DIRECTIVES {
        errors.push(limit_error(
            &format!("Directives limit of {DIRECTIVES} exceeded, found {found}."),
            None,
            false,
        ));
    }
    if gateway && operations().any(|operation| largest_part(operation, tokens) > TOKENS) {
        errors.push(too_many_tokens(TOKENS, true));
    }
    errors
}

fn part_aliases(operation: &OperationDefinition) -> Vec<usize> {
    if operation.operation_type != OperationType::Mutation {
        return vec![aliases(&operation.selection_set)];
    }
    let fields = operation.selection_set.iter().filter_map(Selection::as_field);
    fields.map(|field| aliases(&field.selection_set)).collect()
}

/// Counts the tokens of the largest request that a gateway forwards for an operation.
fn largest_part(operation: &OperationDefinition, tokens: &[usize]) -> usize {
    let start = |selection: &Selection| match selection {
        Selection::Field(field) => field.location(),
        Selection::FragmentSpread(spread) => spread.location(),
        Selection::InlineFragment(fragment) => fragment.location(),
    };
    let starts = operation.selection_set.iter().filter_map(|selection| Some(start(selection)?.offset()));
    let mut bounds: Vec<usize> =
        starts.map(|start| tokens.iter().filter(|token| **token < start).count()).collect();
    if operation.operation_type != OperationType::Mutation || bounds.len() < 2 {
        return tokens.len();
    }
    bounds.push(tokens.len());
    let largest = bounds.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    bounds[0] + largest
}

/// Returns the selection set of a fragment.
fn fragment<'a>(document: &'a Document, name: &str) -> Option<&'a [Selection]> {
    let mut fragments = document.definitions.iter().filter_map(Definition::as_fragment_definition);
    fragments.find(|fragment| fragment.name == name).map(|fragment| fragment.selection_set.as_slice())
}

/// Returns the depth of a selection set that lies below this many fields and fragments.
fn depth(document: &Document, set: &[Selection], (fields, fragments): (usize, usize)) -> usize {
    let below = |selection: &Selection| match selection {
        Selection::Field(field) if field.name == "__schema" => 0,
        Selection::Field(field) => depth(document, &field.selection_set, (fields + 1, fragments)),
        Selection::InlineFragment(inline) => depth(document, &inline.selection_set, (fields, fragments)),
        // A fragment that contains itself has no depth. Validation refuses it later.
        Selection::FragmentSpread(_) if fragments > document.definitions.len() => fields,
        Selection::FragmentSpread(spread) => fragment(document, &spread.fragment_name)
            .map_or(fields, |set| depth(document, set, (fields, fragments + 1))),
    };
    set.iter().map(below).max().unwrap_or(fields)
}

fn aliases(set: &[Selection]) -> usize {
    let count = |selection: &Selection| match selection {
        Selection::Field(field) => {
            let is_counted = field.alias.is_some() && field.name != "__typename";
            usize::from(is_counted) + aliases(&field.selection_set)
        }
        Selection::InlineFragment(inline) => aliases(&inline.selection_set),
        Selection::FragmentSpread(_) => 0,
    };
    set.iter().map(count).sum()
}

fn directives(set: &[Selection]) -> usize {
    let count = |selection: &Selection| match selection {
        Selection::Field(field) => field.directives.len() + directives(&field.selection_set),
        Selection::InlineFragment(inline) => inline.directives.len() + directives(&inline.selection_set),
        Selection::FragmentSpread(spread) => spread.directives.len(),
    };
    set.iter().map(count).sum()
}

/// Returns the cost of a document at the gateway: one for each field with subfields, however long its list is.
pub fn cost(document: &Document) -> usize {
    let operations = document.definitions.iter().filter_map(Definition::as_operation_definition);
    operations.map(|operation| cost_of(document, &operation.selection_set, 0)).sum()
}

fn cost_of(document: &Document, set: &[Selection], above: usize) -> usize {
    let count = |selection: &Selection| match selection {
        Selection::Field(field) if field.selection_set.is_empty() => 0,
        Selection::Field(field) => 1 + cost_of(document, &field.selection_set, above + 1),
        Selection::InlineFragment(inline) => cost_of(document, &inline.selection_set, above),
        Selection::FragmentSpread(_) if above > DEPTH => 0,
        Selection::FragmentSpread(spread) => {
            fragment(document, &spread.fragment_name).map_or(0, |set| cost_of(document, set, above + 1))
        }
    };
    set.iter().map(count).sum()
}

/// Returns the byte at which each token of a document begins.
pub fn tokens(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let is_number = |byte: &&u8| is_name(byte) || **byte == b'.';
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let length = match byte {
            // The last three are the byte order mark.
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => 0,
            b'#' => {
                at += rest.iter().take_while(|byte| **byte != b'\n').count();
                continue;
            }
            b'"' => string_length(rest),
            b'.' => rest.iter().take(3).take_while(|byte| **byte == b'.').count(),
            b'-' => 1 + rest[1..].iter().take_while(is_number).count(),
            b'0'..=b'9' => rest.iter().take_while(is_number).count(),
            byte if is_name(&byte) => rest.iter().take_while(is_name).count(),
            _ => 1,
        };
        if length > 0 {
            tokens.push(at);
        }
        at += length.max(1);
    }
    tokens
}

/// Returns the length of a string literal with its quotes.
fn string_length(text: &[u8]) -> usize {
    let quotes: &[u8] = if text.starts_with(b"\"\"\"") { b"\"\"\"" } else { b"\"" };
    let mut at = quotes.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(quotes) {
            return at + quotes.len();
        }
        let escaped = if quotes.len() == 3 { rest.starts_with(b"\\\"\"\"") } else { rest[0] == b'\\' };
        at += if escaped { 1 + quotes.len() } else { 1 };
    }
    text.len()
}
