//! Several mutations in one document, each under an alias, for platforms that run them one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::graphql_error::first;
use super::{CallError, Mutation, Request, Response};

/// The limits of a platform on one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// The number of aliases, and so of mutations.
    pub aliases: usize,
    /// The number of lexical tokens: names, punctuation and literal values. The values of variables don't count.
    pub tokens: usize,
    /// The estimated cost: 10 for the mutation, and 1 for each field that has a selection of its own.
    pub cost: usize,
}

/// The parts of a mutation's document that a batch needs. The mutation has to have one argument, `input`, with one
/// variable for its value.
#[derive(Clone, Copy, Debug)]
pub struct Joinable {
    /// The name of the mutation's field.
    pub field: &'static str,
    /// The type of its input.
    pub input_type: &'static str,
    /// The name of the fragment that selects its whole answer.
    pub answer_fragment: &'static str,
}

/// One mutation of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchPart<'a> {
    /// Its alias and the name of its variable, unique within the batch.
    pub alias: &'a str,
    pub mutation: &'a Mutation,
}

/// The cost of a mutation without any field.
const BASE_COST: usize = 10;

/// Returns how many of these mutations, counted from the first, fit into one document. At least one does: it is
/// then sent by itself.
pub fn fitting_count(parts: &[BatchPart<'_>], limits: BatchLimits) -> usize {
    let fits = |count: &usize| {
        batch_document(&parts[..*count])
            .is_some_and(|text| tokens(&text) <= limits.tokens && cost(&parts[..*count]) <= limits.cost)
    };
    // Nearly always, all fit.
    (2..=parts.len().min(limits.aliases)).rev().find(fits).unwrap_or(1)
}

/// Returns the text of a document with all of these mutations, or nothing if one of them isn't joinable.
pub fn batch_document(parts: &[BatchPart<'_>]) -> Option<String> {
    let (mut variables, mut fields) = (Vec::new(), String::new());
    let mut fragments: BTreeMap<&str, &str> = BTreeMap::new();
    for BatchPart { alias, mutation } in parts {
        let Joinable { field, input_type, answer_fragment } = mutation.joinable?;
        variables.push(format!("${alias}: {input_type}!"));
        let _ = writeln!(fields, "  {alias}: {field}(input: ${alias}) {{\n    ...{answer_fragment}\n  }}");
        fragments.extend(self::fragments(mutation.text));
    }
    let fragments: Vec<&str> = fragments.into_values().collect();
    Some(format!("mutation Batch({}) {{\n{fields}}}\n\n{}", variables.join(", "), fragments.join("\n")))
}

/// Returns the request that carries all of these mutations with their inputs, or nothing if one of them isn't
/// joinable.
pub fn request(parts: &[BatchPart<'_>], inputs: Vec<Value>) -> Option<Request> {
    let context = parts.first()?.mutation.context;
    let query = batch_document(parts)?.into();
    let variables = parts.iter().zip(inputs).map(|(part, input)| (part.alias.to_owned(), input)).collect();
    Some(Request { operation_name: "Batch", query, variables: Value::Object(variables), context })
}

/// Returns the fragments of a document with their names.
fn fragments(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    const START: &str = "fragment ";
    let starts = text.match_indices(START).map(|(at, _)| at).filter(move |at| text[..*at].ends_with('\n'));
    let starts: Vec<usize> = starts.collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| {
        let fragment = text.get(start..end)?.trim_end();
        Some((fragment.strip_prefix(START)?.split_whitespace().next()?, fragment))
    })
}

/// Counts the tokens of a document that has neither strings nor comments, as rolecall's documents.
fn tokens(text: &str) -> usize {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let text = text.replace("...", "…");
    let mut before = ' ';
    let mut count = 0;
    for letter in text.chars() {
        let begins = if is_word(letter) { !is_word(before) } else { !letter.is_whitespace() && letter != ',' };
        count += usize::from(begins);
        before = letter;
    }
    count
}

/// Estimates the cost of a batch. In rolecall's documents each fragment is used once, so every opening brace
/// belongs to a field, except those of the operation and of the fragments themselves.
fn cost(parts: &[BatchPart<'_>]) -> usize {
    let cost_of = |text: &'static str| text.matches('{').count().saturating_sub(1 + fragments(text).count());
    BASE_COST + parts.iter().map(|part| cost_of(part.mutation.text)).sum::<usize>()
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    data: Option<BTreeMap<String, &'a RawValue>>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
}

/// The most errors of a response that are read. A server reports one for each mutation.
const MAX_ERRORS: usize = 1000;

#[derive(Deserialize)]
struct Located {
    #[serde(default)]
    path: Vec<Value>,
}

/// Splits the response to a batch into one response for each of its mutations, as if each had been sent by itself.
///
/// For example, three roles are to be changed, and the plan calls these mutations `m1`, `m2` and `m3`:
///
/// ```graphql
/// mutation Batch($m1: UpdateMemberRoleInput!, $m2: UpdateMemberRoleInput!, $m3: UpdateMemberRoleInput!) {
///   m1: updateMemberRole(input: $m1) { ...UpdateMemberRoleAnswer }
///   m2: updateMemberRole(input: $m2) { ...UpdateMemberRoleAnswer }
///   m3: updateMemberRole(input: $m3) { ...UpdateMemberRoleAnswer }
/// }
/// ```
///
/// A batch is no transaction. There are three ways to fail:
///
/// - The server refuses `m2` within the data (`m2: { error: … }`). That concerns `m2` alone: `m1` and `m3` ran.
/// - The server throws at `m2`, so that `data` is null and `errors[0].path` is `["m2"]`. `m1` took effect, and its
///   answer is lost. `m3` never ran. The response looks the same for both, so both get [`CallError::LostInBatch`]
///   and a read has to decide. This is why nothing is batched whose answer can't be had twice, such as a new key's
///   secret.
/// - The server refuses the document before it runs any of it: HTTP 400 with errors and without data. All get
///   [`CallError::BatchRefused`], and each may be sent again by itself.
///
/// If an error doesn't say which mutation it belongs to, all of them are lost.
pub fn split_response(parts: &[BatchPart<'_>], response: &Response) -> Vec<Result<Response, CallError>> {
    if is_refused(response) {
        return parts.iter().map(|_| Err(CallError::BatchRefused)).collect();
    }
    let Some(envelope) = parse_parts(response) else {
        return parts.iter().map(|_| Ok(response.clone())).collect();
    };
    let Envelope { data, errors } = envelope;
    let mut failures: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let (errors, others) = errors.map(|errors| first(errors, MAX_ERRORS, |error| error)).unwrap_or_default();
    if data.is_none()
        && others == 0
        && response.is_rate_limited()
        && errors.iter().all(|error| is_unlocated(error))
    {
        // The whole document was refused before it ran, as with HTTP 429.
        return parts.iter().map(|_| Ok(response.clone())).collect();
    }
    for error in errors.into_iter().chain((others > 0).then_some(RawValue::NULL)) {
        let located = serde_json::from_str::<Located>(error.get()).ok();
        let alias = located.as_ref().and_then(|located| located.path.first()).and_then(Value::as_str);
        let Some(part) = parts.iter().find(|part| alias == Some(part.alias)) else {
            // The error may belong to any of them.
            let lost = || Err(CallError::LostInBatch("an unnamed mutation".to_owned()));
            return parts.iter().map(|_| lost()).collect();
        };
        let mut error: Value = serde_json::from_str(error.get()).unwrap_or_default();
        error["path"][0] = json!(field(part));
        failures.entry(part.alias.to_owned()).or_default().push(error);
    }
    let failed: BTreeSet<&str> = failures.keys().map(String::as_str).collect();
    let failed = failed.into_iter().collect::<Vec<_>>().join(", ");
    let data = data.unwrap_or_default();
    let head = Response { body: Vec::new(), ..response.clone() };
    parts
        .iter()
        .map(|part| {
            let payload = data.get(part.alias).copied().filter(|payload| payload.get() != "null");
            let body = match (payload, failures.remove(part.alias)) {
                (payload, Some(errors)) => {
                    json!({ "data": payload.map(|payload| json!({ field(part): payload })), "errors": errors })
                        .to_string()
                }
                (None, None) if !failed.is_empty() => return Err(CallError::LostInBatch(failed.clone())),
                (payload, None) => {
                    format!(r#"{{"data":{{"{}":{}}}}}"#, field(part), payload.map_or("null", RawValue::get))
                }
            };
            Ok(Response { body: body.into_bytes(), ..head.clone() })
        })
        .collect()
}

/// Returns whether an error says nothing about the field that it belongs to.
fn is_unlocated(error: &RawValue) -> bool {
    serde_json::from_str::<Located>(error.get()).is_ok_and(|located| located.path.is_empty())
}

/// Returns whether the server refused the whole document before it ran any of it. By the specification "GraphQL
/// over HTTP" that is HTTP 400 with errors and without data.
fn is_refused(response: &Response) -> bool {
    let envelope = || serde_json::from_slice::<Envelope<'_>>(&response.body).ok();
    response.status == BAD_REQUEST
        && envelope().is_some_and(|it| it.data.is_none() && it.errors.is_some_and(has_entries))
}

const BAD_REQUEST: u16 = 400;

/// Returns the data and the errors of a response, or nothing if the response means the same for every mutation.
fn parse_parts(response: &Response) -> Option<Envelope<'_>> {
    let envelope: Envelope<'_> = serde_json::from_slice(&response.body).ok()?;
    let has_content = envelope.data.is_some() || envelope.errors.is_some_and(has_entries);
    (has_content && (200..300).contains(&response.status)).then_some(envelope)
}

/// Returns whether a JSON text is a list with at least one entry.
fn has_entries(list: &RawValue) -> bool {
    !first(list, 1, |_| ()).0.is_empty()
}

fn field(part: &BatchPart<'_>) -> &'static str {
    part.mutation.joinable.map_or("", |joinable| joinable.field)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const A: Mutation = Mutation::new(
        "A",
        "mutation A($input: AInput!) {\n  a(input: $input) {\n    ...AAnswer\n  }\n}\n\nfragment AAnswer on AResult {\n  ok {\n    ...Shared\n  }\n}\n\nfragment Shared on Thing {\n  id\n}\n",
    )
    .joinable(Joinable { field: "a", input_type: "AInput", answer_fragment: "AAnswer" });
    const ALONE: Mutation = Mutation::new("Alone", "mutation Alone { alone }");
    const WIDE: BatchLimits = BatchLimits { aliases: 20, tokens: 800, cost: 1000 };

    fn parts(aliases: &[&'static str]) -> Vec<BatchPart<'static>> {
        aliases.iter().map(|alias| BatchPart { alias, mutation: &A }).collect()
    }

    fn answer(status: u16, body: &str) -> Response {
        Response::new(status, body.as_bytes().to_vec())
    }

    fn parts_of(parts: &[BatchPart<'_>], status: u16, body: &str) -> Vec<String> {
        let text = |part: Result<Response, CallError>| match part {
            Ok(response) => String::from_utf8(response.body).unwrap(),
            Err(error) => error.to_string(),
        };
        split_response(parts, &answer(status, body)).into_iter().map(text).collect()
    }

    #[test]
    fn a_fragment_that_several_use_is_there_once() {
        let text = batch_document(&parts(&["m1", "m2"])).unwrap();
        assert!(
            text.starts_with("mutation Batch($m1: AInput!, $m2: AInput!) {\n  m1: a(input: $m1) {\n"),
            "{text}"
        );
        assert_eq!(text.matches("fragment AAnswer on").count(), 1);
        assert_eq!(text.matches("fragment Shared on").count(), 1);
    }

    #[test]
    fn as_many_go_together_as_every_limit_allows() {
        let names: Vec<String> = (1..=30).map(|place| format!("m{place}")).collect();
        let parts: Vec<BatchPart<'_>> = names.iter().map(|alias| BatchPart { alias, mutation: &A }).collect();
        assert_eq!(fitting_count(&parts, WIDE), 20);
        assert_eq!(fitting_count(&parts[..3], WIDE), 3);
        assert_eq!(fitting_count(&parts, BatchLimits { cost: 10 + 2 * 5, ..WIDE }), 5);
        let four = tokens(&batch_document(&parts[..4]).unwrap());
        assert_eq!(fitting_count(&parts, BatchLimits { tokens: four, ..WIDE }), 4);
        assert_eq!(fitting_count(&parts, BatchLimits { tokens: four - 1, ..WIDE }), 3);
        // The first always fits: it is then sent by itself.
        assert_eq!(fitting_count(&parts, BatchLimits { tokens: 1, aliases: 0, cost: 0 }), 1);
        assert_eq!(fitting_count(&[BatchPart { alias: "m1", mutation: &ALONE }, parts[0]], WIDE), 1);
    }

    #[test]
    fn each_mutation_gets_its_own_answer() {
        let parts = parts(&["m1", "m2"]);
        let [one, two] =
            parts_of(&parts, 200, r#"{"data":{"m1":{"ok":{"id":1}},"m2":{"ok":{"id":2}}}}"#).try_into().unwrap();
        assert_eq!(
            (one.as_str(), two.as_str()),
            (r#"{"data":{"a":{"ok":{"id":1}}}}"#, r#"{"data":{"a":{"ok":{"id":2}}}}"#)
        );
    }

    #[test]
    fn if_one_fails_the_others_without_an_answer_are_lost() {
        let body = r#"{"data":null,"errors":[{"message":"no","path":["m2"]}]}"#;
        let [one, two] = parts_of(&parts(&["m1", "m2"]), 200, body).try_into().unwrap();
        assert_eq!(one, "its answer was lost, because m2 failed in the same request");
        assert_eq!(two, r#"{"data":null,"errors":[{"message":"no","path":["a"]}]}"#);
        let body = r#"{"data":{"m1":{"ok":1},"m2":null},"errors":[{"message":"no","path":["m2"]}]}"#;
        let [one, two] = parts_of(&parts(&["m1", "m2"]), 200, body).try_into().unwrap();
        assert_eq!(one, r#"{"data":{"a":{"ok":1}}}"#);
        assert_eq!(two, r#"{"data":null,"errors":[{"message":"no","path":["a"]}]}"#);
    }

    #[test]
    fn an_error_that_names_none_of_them_leaves_all_of_them_open() {
        for error in [r#"{"message":"no"}"#, r#"{"message":"no","path":["m9"]}"#, r#"{"message":"no","path":[]}"#]
        {
            let body = format!(r#"{{"data":{{"m1":{{"ok":1}},"m2":null}},"errors":[{error}]}}"#);
            let lost = parts_of(&parts(&["m1", "m2"]), 200, &body);
            assert_eq!(lost, ["its answer was lost, because an unnamed mutation failed in the same request"; 2]);
        }
    }

    #[test]
    fn an_answer_to_the_whole_document_goes_to_each() {
        for (status, body) in [(502, "<html>"), (400, "<html>"), (200, r#"{"data":null}"#)] {
            assert_eq!(parts_of(&parts(&["m1", "m2"]), status, body), [body, body]);
        }
        let refused = parts_of(&parts(&["m1", "m2"]), 400, r#"{"errors":[{"message":"too long"}]}"#);
        assert_eq!(refused, ["the platform refused a request with several mutations"; 2]);
        // A null without an error means the same as for a mutation that was sent by itself.
        let silent = parts_of(&parts(&["m1"]), 200, r#"{"data":{"m1":null}}"#);
        assert_eq!(silent, [r#"{"data":{"a":null}}"#]);
    }
}
