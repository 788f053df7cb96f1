//! Several mutations as one document, each under an alias, for platforms that run them one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{CallError, Mutation, Request, Response};

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub aliases: usize,
    /// What a lexer counts: names, punctuation and values. Variables are none.
    pub tokens: usize,
    /// Ten, and one for each field that has fields.
    pub cost: usize,
}

/// What of a mutation's document goes into one with others. It has one argument, `input`, and one variable for that.
#[derive(Clone, Copy, Debug)]
pub struct Joinable {
    pub field: &'static str,
    /// The type of its input.
    pub input: &'static str,
    /// The fragment that has all that it answers.
    pub answer: &'static str,
}

/// One that goes into a document with others.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Tells it from the others.
    pub alias: &'a str,
    pub mutation: &'a Mutation,
}

/// What any mutation costs, whatever is in it.
const BASE_COST: usize = 10;

/// How many of these, from the first on, fit into one document. Of those that can't be joined, one.
pub fn fitting(parts: &[Part<'_>], limits: Limits) -> usize {
    let fits = |count: &usize| {
        document(&parts[..*count])
            .is_some_and(|text| tokens(&text) <= limits.tokens && cost(&parts[..*count]) <= limits.cost)
    };
    (2..=parts.len().min(limits.aliases)).take_while(fits).last().unwrap_or(1)
}

/// The one document. None: one of them is only ever sent by itself.
pub fn document(parts: &[Part<'_>]) -> Option<String> {
    let (mut variables, mut fields) = (Vec::new(), String::new());
    let mut fragments: BTreeMap<&str, &str> = BTreeMap::new();
    for Part { alias, mutation } in parts {
        let Joinable { field, input, answer } = mutation.joinable?;
        variables.push(format!("${alias}: {input}!"));
        let _ = writeln!(fields, "  {alias}: {field}(input: ${alias}) {{\n    ...{answer}\n  }}");
        fragments.extend(self::fragments(mutation.text));
    }
    let fragments: Vec<&str> = fragments.into_values().collect();
    Some(format!("mutation Batch({}) {{\n{fields}}}\n\n{}", variables.join(", "), fragments.join("\n")))
}

/// The request that carries them all. None: one of them is only ever sent by itself.
pub fn request(parts: &[Part<'_>], inputs: Vec<Value>) -> Option<Request> {
    let context = parts.first()?.mutation.context;
    let query = document(parts)?.into();
    let variables = parts.iter().zip(inputs).map(|(part, input)| (part.alias.to_owned(), input)).collect();
    Some(Request { operation_name: "Batch", query, variables: Value::Object(variables), context })
}

/// The fragments of a document, by their names.
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

/// Of documents without strings and comments, which is what ours are.
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

/// Each fragment of a document of ours is used once in it, so that what opens a brace is a field, but for the operation
/// and the fragments themselves.
fn cost(parts: &[Part<'_>]) -> usize {
    let of = |text: &'static str| text.matches('{').count().saturating_sub(1 + fragments(text).count());
    BASE_COST + parts.iter().map(|part| of(part.mutation.text)).sum::<usize>()
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    data: Option<BTreeMap<String, &'a RawValue>>,
    #[serde(borrow, default)]
    errors: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Located {
    #[serde(default)]
    path: Vec<Value>,
}

/// What the answer to a document says to each of its parts, as if each had been sent by itself. A platform that fails
/// one of them may leave out what it had done of the others: of those nothing is known.
pub fn split(parts: &[Part<'_>], response: &Response) -> Vec<Result<Response, CallError>> {
    if is_refused(response) {
        return parts.iter().map(|_| Err(CallError::RefusedTogether)).collect();
    }
    let Some(envelope) = understood(response) else {
        return parts.iter().map(|_| Ok(response.clone())).collect();
    };
    let Envelope { data, errors } = envelope;
    let mut failures: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for error in errors.into_iter().flatten() {
        let located = serde_json::from_str::<Located>(error.get()).ok();
        let alias = located.as_ref().and_then(|located| located.path.first()).and_then(Value::as_str);
        let Some(part) = parts.iter().find(|part| alias == Some(part.alias)) else {
            // It may be about any of them.
            let lost = || Err(CallError::LostWith("one that the platform doesn't name".to_owned()));
            return parts.iter().map(|_| lost()).collect();
        };
        let mut error: Value = serde_json::from_str(error.get()).unwrap_or_default();
        error["path"][0] = json!(field(part));
        failures.entry(part.alias.to_owned()).or_default().push(error);
    }
    let failed: BTreeSet<&str> = failures.keys().map(String::as_str).collect();
    let lost = failed.into_iter().collect::<Vec<_>>().join(", ");
    let data = data.unwrap_or_default();
    parts
        .iter()
        .map(|part| {
            let said = data.get(part.alias).filter(|said| said.get() != "null");
            let body = match (said, failures.remove(part.alias)) {
                (said, Some(errors)) => {
                    json!({ "data": said.map(|said| json!({ field(part): said })), "errors": errors })
                }
                (Some(said), None) => json!({ "data": { field(part): said } }),
                (None, None) if lost.is_empty() => json!({ "data": { field(part): null } }),
                (None, None) => return Err(CallError::LostWith(lost.clone())),
            };
            Ok(Response { body: body.to_string().into_bytes(), ..response.clone() })
        })
        .collect()
}

/// HTTP 400 with errors and no data is for documents that aren't carried out at all (GraphQL over HTTP).
fn is_refused(response: &Response) -> bool {
    let said = || serde_json::from_slice::<Envelope<'_>>(&response.body).ok();
    response.status == BAD_REQUEST
        && said().is_some_and(|said| said.data.is_none() && said.errors.is_some_and(|errors| !errors.is_empty()))
}

const BAD_REQUEST: u16 = 400;

/// An answer with parts. None: it says the same to all.
fn understood(response: &Response) -> Option<Envelope<'_>> {
    let envelope: Envelope<'_> = serde_json::from_slice(&response.body).ok()?;
    let says_something =
        envelope.data.is_some() || envelope.errors.as_ref().is_some_and(|errors| !errors.is_empty());
    (says_something && (200..300).contains(&response.status)).then_some(envelope)
}

fn field(part: &Part<'_>) -> &'static str {
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
    .joinable(Joinable { field: "a", input: "AInput", answer: "AAnswer" });
    const ALONE: Mutation = Mutation::new("Alone", "mutation Alone { alone }");
    const WIDE: Limits = Limits { aliases: 20, tokens: 800, cost: 1000 };

    fn parts(aliases: &[&'static str]) -> Vec<Part<'static>> {
        aliases.iter().map(|alias| Part { alias, mutation: &A }).collect()
    }

    fn answer(status: u16, body: &str) -> Response {
        Response::new(status, body.as_bytes().to_vec())
    }

    fn said(parts: &[Part<'_>], status: u16, body: &str) -> Vec<String> {
        let text = |part: Result<Response, CallError>| match part {
            Ok(response) => String::from_utf8(response.body).unwrap(),
            Err(error) => error.to_string(),
        };
        split(parts, &answer(status, body)).into_iter().map(text).collect()
    }

    #[test]
    fn a_fragment_that_several_use_is_there_once() {
        let text = document(&parts(&["m1", "m2"])).unwrap();
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
        let parts: Vec<Part<'_>> = names.iter().map(|alias| Part { alias, mutation: &A }).collect();
        assert_eq!(fitting(&parts, WIDE), 20);
        assert_eq!(fitting(&parts[..3], WIDE), 3);
        assert_eq!(fitting(&parts, Limits { cost: 10 + 2 * 5, ..WIDE }), 5);
        let four = tokens(&document(&parts[..4]).unwrap());
        assert_eq!(fitting(&parts, Limits { tokens: four, ..WIDE }), 4);
        assert_eq!(fitting(&parts, Limits { tokens: four - 1, ..WIDE }), 3);
        // One always goes: it is no larger than it is by itself.
        assert_eq!(fitting(&parts, Limits { tokens: 1, aliases: 0, cost: 0 }), 1);
        assert_eq!(fitting(&[Part { alias: "m1", mutation: &ALONE }, parts[0]], WIDE), 1);
    }

    #[test]
    fn each_hears_what_is_said_of_it() {
        let parts = parts(&["m1", "m2"]);
        let [one, two] =
            said(&parts, 200, r#"{"data":{"m1":{"ok":{"id":1}},"m2":{"ok":{"id":2}}}}"#).try_into().unwrap();
        assert_eq!(
            (one.as_str(), two.as_str()),
            (r#"{"data":{"a":{"ok":{"id":1}}}}"#, r#"{"data":{"a":{"ok":{"id":2}}}}"#)
        );
    }

    #[test]
    fn where_one_fails_the_others_without_an_answer_are_lost() {
        let body = r#"{"data":null,"errors":[{"message":"no","path":["m2"]}]}"#;
        let [one, two] = said(&parts(&["m1", "m2"]), 200, body).try_into().unwrap();
        assert_eq!(one, "its answer was lost with that of m2");
        assert_eq!(two, r#"{"data":null,"errors":[{"message":"no","path":["a"]}]}"#);
        let body = r#"{"data":{"m1":{"ok":1},"m2":null},"errors":[{"message":"no","path":["m2"]}]}"#;
        let [one, two] = said(&parts(&["m1", "m2"]), 200, body).try_into().unwrap();
        assert_eq!(one, r#"{"data":{"a":{"ok":1}}}"#);
        assert_eq!(two, r#"{"data":null,"errors":[{"message":"no","path":["a"]}]}"#);
    }

    #[test]
    fn an_error_that_names_none_of_them_leaves_all_of_them_open() {
        for error in [r#"{"message":"no"}"#, r#"{"message":"no","path":["m9"]}"#, r#"{"message":"no","path":[]}"#]
        {
            let body = format!(r#"{{"data":{{"m1":{{"ok":1}},"m2":null}},"errors":[{error}]}}"#);
            let lost = said(&parts(&["m1", "m2"]), 200, &body);
            assert_eq!(lost, ["its answer was lost with that of one that the platform doesn't name"; 2]);
        }
    }

    #[test]
    fn what_is_said_of_the_whole_is_said_to_each() {
        for (status, body) in [(502, "<html>"), (400, "<html>"), (200, r#"{"data":null}"#)] {
            assert_eq!(said(&parts(&["m1", "m2"]), status, body), [body, body]);
        }
        let refused = said(&parts(&["m1", "m2"]), 400, r#"{"errors":[{"message":"too long"}]}"#);
        assert_eq!(refused, ["the platform refused a document of several"; 2]);
        // One that is silent about a part says of it what it would say of it alone.
        let silent = said(&parts(&["m1"]), 200, r#"{"data":{"m1":null}}"#);
        assert_eq!(silent, [r#"{"data":{"a":null}}"#]);
    }
}
