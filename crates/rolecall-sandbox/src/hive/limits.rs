//! Limits on the size of a document.

use async_graphql::Pos;
use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};

use super::check::{RequestError, UNPARSED};

const ALIASES: usize = 20;
const DIRECTIVES: usize = 20;
const TOKENS: usize = 800;
const DEPTH: usize = 22;
const GATEWAY_TOKENS: usize = 1000;
const GATEWAY_DEPTH: usize = 20;

fn limit_error(message: &str, code: Option<&'static str>, from_server: bool) -> RequestError {
    RequestError { message: format!("Syntax Error: {message}"), code, at: None, from_server }
}

fn too_many_tokens(most: usize, from_server: bool) -> RequestError {
    limit_error(&format!("Token limit of {most} exceeded."), Some(UNPARSED), from_server)
}

/// Checks the number of tokens. A document above the limit isn't even parsed.
pub fn check_text(tokens: &[Pos], gateway: bool) -> Option<RequestError> {
    let most = if gateway { GATEWAY_TOKENS } else { TOKENS };
    (tokens.len() > most).then(|| too_many_tokens(most, false))
}

/// Checks depth, aliases and tokens. A gateway forwards each root field of a mutation by itself, so behind it the
/// server's limits apply to each of them.
pub fn check_document(document: &ExecutableDocument, tokens: &[Pos], gateway: bool) -> Vec<RequestError> {
    let mut errors = Vec::new();
    let sets = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let most = if gateway { GATEWAY_DEPTH } else { DEPTH };
    let depth = sets.clone().map(|set| depth(document, set, (0, 0))).max().unwrap_or(0);
    if depth > most {
        errors.push(limit_error(&format!("Query depth limit of {most} exceeded, found {depth}."), None, false));
    }
    let shared: usize = document.fragments.values().map(|it| aliases(&it.node.selection_set.node)).sum();
    let parts: Vec<usize> = if gateway { part_aliases(document) } else { vec![sets.map(aliases).sum()] };
    if let Some(found) = parts.into_iter().map(|part| part + shared).find(|found| *found > ALIASES) {
        errors.push(limit_error(&format!("Aliases limit of {ALIASES} exceeded, found {found}."), None, gateway));
    }
    let written = document
        .operations
        .iter()
        .map(|(_, operation)| operation.node.directives.len() + directives(&operation.node.selection_set.node));
    let in_fragments = document.fragments.values().map(|it| directives(&it.node.selection_set.node));
    let found: usize = written.chain(in_fragments).sum();
    if !gateway && found > DIRECTIVES {
        errors.push(limit_error(
            &format!("Directives limit of {DIRECTIVES} exceeded, found {found}."),
            None,
            false,
        ));
    }
    if gateway && document.operations.iter().any(|(_, operation)| largest_part(&operation.node, tokens) > TOKENS) {
        errors.push(too_many_tokens(TOKENS, true));
    }
    errors
}

fn part_aliases(document: &ExecutableDocument) -> Vec<usize> {
    let mut parts = Vec::new();
    for (_, operation) in document.operations.iter() {
        let set = &operation.node.selection_set.node;
        if operation.node.ty == OperationType::Mutation {
            let fields = set.items.iter().filter_map(|selection| match &selection.node {
                Selection::Field(field) => Some(aliases(&field.node.selection_set.node)),
                Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
            });
            parts.extend(fields);
        } else {
            parts.push(aliases(set));
        }
    }
    parts
}

/// Counts the tokens of the largest request that a gateway forwards for an operation.
fn largest_part(operation: &OperationDefinition, tokens: &[Pos]) -> usize {
    let starts: Vec<Pos> = operation.selection_set.node.items.iter().map(|selection| selection.pos).collect();
    if operation.ty != OperationType::Mutation || starts.len() < 2 {
        return tokens.len();
    }
    let before = |pos: Pos| tokens.iter().filter(|token| **token < pos).count();
    let mut bounds: Vec<usize> = starts.into_iter().map(before).collect();
    bounds.push(tokens.len());
    let largest = bounds.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    bounds[0] + largest
}

/// Returns the depth of a selection set that lies below this many fields and fragments.
fn depth(document: &ExecutableDocument, set: &SelectionSet, (fields, fragments): (usize, usize)) -> usize {
    let below = |selection: &Selection| match selection {
        Selection::Field(field) if field.node.name.node == "__schema" => 0,
        Selection::Field(field) => depth(document, &field.node.selection_set.node, (fields + 1, fragments)),
        Selection::InlineFragment(fragment) => {
            depth(document, &fragment.node.selection_set.node, (fields, fragments))
        }
        // A fragment that contains itself has no depth. Validation refuses it later.
        Selection::FragmentSpread(_) if fragments > document.fragments.len() => fields,
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(fields, |fragment| {
                depth(document, &fragment.node.selection_set.node, (fields, fragments + 1))
            })
        }
    };
    set.items.iter().map(|selection| below(&selection.node)).max().unwrap_or(fields)
}

fn aliases(set: &SelectionSet) -> usize {
    let count = |selection: &Selection| match selection {
        Selection::Field(field) => {
            let is_counted = field.node.alias.is_some() && field.node.name.node != "__typename";
            usize::from(is_counted) + aliases(&field.node.selection_set.node)
        }
        Selection::InlineFragment(fragment) => aliases(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => 0,
    };
    set.items.iter().map(|selection| count(&selection.node)).sum()
}

fn directives(set: &SelectionSet) -> usize {
    let count = |selection: &Selection| {
        let below = match selection {
            Selection::Field(field) => directives(&field.node.selection_set.node),
            Selection::InlineFragment(fragment) => directives(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => 0,
        };
        selection.directives().len() + below
    };
    set.items.iter().map(|selection| count(&selection.node)).sum()
}

/// Returns the cost of a document at the gateway: one for each field with subfields, however long its list is.
pub fn cost(document: &ExecutableDocument) -> usize {
    let sets = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    sets.map(|set| cost_of(document, set, 0)).sum()
}

fn cost_of(document: &ExecutableDocument, set: &SelectionSet, above: usize) -> usize {
    let count = |selection: &Selection| match selection {
        Selection::Field(field) if field.node.selection_set.node.items.is_empty() => 0,
        Selection::Field(field) => 1 + cost_of(document, &field.node.selection_set.node, above + 1),
        Selection::InlineFragment(fragment) => cost_of(document, &fragment.node.selection_set.node, above),
        Selection::FragmentSpread(_) if above > DEPTH => 0,
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(0, |fragment| cost_of(document, &fragment.node.selection_set.node, above + 1))
        }
    };
    set.items.iter().map(|selection| count(&selection.node)).sum()
}

/// Returns the position of each token of a document.
pub fn tokens(text: &str) -> Vec<Pos> {
    let letters: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line, mut start_of_line) = (Vec::new(), 0, 1, 0);
    let is_name = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
    while let Some(letter) = letters.get(at) {
        let rest = &letters[at..];
        let length = match letter {
            '\n' => {
                line += 1;
                start_of_line = at + 1;
                at += 1;
                continue;
            }
            ' ' | '\t' | '\r' | ',' | '\u{feff}' => {
                at += 1;
                continue;
            }
            '#' => {
                at += rest.iter().take_while(|letter| **letter != '\n').count();
                continue;
            }
            '"' => string_length(rest),
            '.' => rest.iter().take(3).take_while(|letter| **letter == '.').count(),
            '-' => 1 + rest[1..].iter().take_while(|letter| is_name(letter) || **letter == '.').count(),
            '0'..='9' => rest.iter().take_while(|letter| is_name(letter) || **letter == '.').count(),
            letter if is_name(letter) => rest.iter().take_while(|letter| is_name(letter)).count(),
            _ => 1,
        };
        tokens.push(Pos { line, column: at - start_of_line + 1 });
        for (offset, letter) in rest.iter().take(length).enumerate() {
            if *letter == '\n' {
                line += 1;
                start_of_line = at + offset + 1;
            }
        }
        at += length;
    }
    tokens
}

/// Returns the length of a string literal with its quotes.
fn string_length(letters: &[char]) -> usize {
    let quotes: &[char] = if letters.starts_with(&['"', '"', '"']) { &['"', '"', '"'] } else { &['"'] };
    let mut at = quotes.len();
    while at < letters.len() {
        let rest = &letters[at..];
        if rest.starts_with(quotes) {
            return at + quotes.len();
        }
        let escaped = if quotes.len() == 3 { rest.starts_with(&['\\', '"', '"', '"']) } else { rest[0] == '\\' };
        at += if escaped { 1 + quotes.len() } else { 1 };
    }
    letters.len()
}
