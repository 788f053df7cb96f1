//! HTTP over a real socket: each kind of answer is distinguished.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rolecall_graphql::{
    Backoff, CallError, ClientSettings, Context, Contexts, HttpSettings, HttpTransport, PossibleEffect, Query,
    Reader, Redactor, TransportError,
};
use secrecy::SecretString;
use serde_json::{Value, json};

const QUERY: Query = Query::new("Test", "query Test { a }");
const SECRET: &str = "canary-credential";

/// A server that answers connections in order with these bytes, and records the requests.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/graphql", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                heard.lock().unwrap().push(request(&mut stream));
                let _ = stream.write_all(&answer);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Reads one complete request.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn ok(body: &Value) -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", &body.to_string())
}

fn ask_with(url: &str, timeout: Duration) -> (Result<Value, CallError>, usize) {
    let settings = HttpSettings {
        client: ClientSettings { direct: true, user_agent: "rolecall/test".to_owned(), timeout, extra_ca: None },
        endpoint: url.parse().unwrap(),
        contexts: Contexts::from([(Context::ONLY, vec![("x-api-key", SecretString::from(SECRET))])]),
    };
    let transport = Arc::new(HttpTransport::new(settings).unwrap());
    let backoff = Backoff {
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(5),
        ..Backoff::with_seed(7)
    };
    let reader = Reader::new(transport, Redactor::new([SecretString::from(SECRET)]), backoff);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(reader.query(&QUERY, json!({})));
    (answer, reader.requests())
}

fn ask(answers: Vec<Vec<u8>>) -> (Result<Value, CallError>, usize) {
    let server = Server::new(answers);
    ask_with(&server.url, Duration::from_secs(10))
}

fn error(answers: Vec<Vec<u8>>) -> CallError {
    ask(answers).0.unwrap_err()
}

#[test]
fn a_request_carries_operation_credential_and_user_agent() {
    let server = Server::new(vec![ok(&json!({ "data": { "a": 1 } }))]);
    let (answer, _) = ask_with(&server.url, Duration::from_secs(10));
    assert_eq!(answer.unwrap(), json!({ "a": 1 }));
    let asked = server.asked().remove(0);
    for part in [
        "POST /graphql",
        "x-api-key: canary-credential",
        "user-agent: rolecall/test",
        "\"operationName\":\"Test\"",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
}

#[test]
fn a_redirect_is_never_followed() {
    let thief = Server::new(vec![ok(&json!({ "data": {} }))]);
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let to = thief.url.replace("://", "://user:secret@");
        let location = format!("location: {to}?key=secret#secret\r\n");
        let (answer, requests) = ask(vec![answer(status, &location, "")]);
        // People can follow it, even if only the path is another one.
        assert_eq!(answer.unwrap_err(), CallError::Transport(TransportError::Redirected(thief.url.clone())));
        assert_eq!(requests, 1);
    }
    assert!(thief.asked().is_empty());
}

#[test]
fn what_passes_is_tried_again() {
    let good = ok(&json!({ "data": { "a": 1 } }));
    let passing = [
        answer("502 Bad Gateway", "", "x"),
        answer("503 Unavailable", "", ""),
        answer("504 Timeout", "", ""),
        answer("429 Too Many", "retry-after: 0\r\n", ""),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\"".to_vec(),
        Vec::new(),
    ];
    for bad in passing {
        let shown = String::from_utf8_lossy(&bad).into_owned();
        let (answer, requests) = ask(vec![bad, good.clone()]);
        assert_eq!((answer.ok(), requests), (Some(json!({ "a": 1 })), 2), "{shown}");
    }
}

#[test]
fn what_stays_wrong_is_not_tried_for_ever() {
    let (answer, requests) = ask(vec![answer("503 Unavailable", "", ""); 9]);
    assert_eq!(answer.unwrap_err(), CallError::Status { status: 503, retry_after: None });
    assert_eq!(requests, 5);
}

#[test]
fn a_long_retry_after_is_an_error_and_not_a_wait() {
    let (answer, requests) = ask(vec![answer("429 Too Many", "retry-after: 86400\r\n", "")]);
    assert_eq!(answer.unwrap_err().retry_after(), Some(Duration::from_secs(86_400)));
    assert_eq!(requests, 1);
}

#[test]
fn retry_after_is_obeyed() {
    let started = std::time::Instant::now();
    let (answer, _) = ask(vec![answer("429 Too Many", "retry-after: 1\r\n", ""), ok(&json!({ "data": {} }))]);
    assert!(answer.is_ok());
    // At least the time that was asked for. How much more depends on the machine.
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_refused_credential_is_recognised_in_every_form() {
    let coded = |code: &str| ok(&json!({ "data": null, "errors": [{ "message": "x", "errorType": code }] }));
    let extension = ok(&json!({ "errors": [{ "message": "x", "extensions": { "code": "UNAUTHENTICATED" } }] }));
    let prefixed = ok(&json!({ "errors": [{ "message": "INVALID_SESSION_TOKEN: x" }] }));
    let all = [answer("401 No", "", ""), answer("403 No", "", ""), coded("FORBIDDEN"), extension, prefixed];
    for refusal in all {
        let error = error(vec![refusal]);
        assert!(matches!(error, CallError::CredentialRefused(_)), "{error}");
        assert_eq!(error.effect(), PossibleEffect::None);
    }
}

#[test]
fn other_answers_are_distinguished() {
    let html = answer("200 OK", "content-type: text/html\r\n", "<!DOCTYPE html><title>Sign in</title>");
    assert_eq!(error(vec![html]), CallError::NotJson("it is an HTML page".to_owned()));
    assert_eq!(error(vec![answer("200 OK", "", "")]), CallError::NotJson("it is empty".to_owned()));
    assert_eq!(error(vec![ok(&json!({}))]), CallError::NoData);
    assert_eq!(error(vec![ok(&json!({ "data": null }))]), CallError::NoData);
    assert_eq!(
        error(vec![answer("404 Not Found", "", "nope")]),
        CallError::Status { status: 404, retry_after: None }
    );
    assert_eq!(error(vec![answer("500 Oops", "", "nope")]), CallError::Status { status: 500, retry_after: None });

    let errors = error(vec![ok(&json!({ "data": { "a": null }, "errors": [
        { "message": "no such thing", "errorType": "NOT_FOUND", "path": ["a", 0, "b"] },
        { "message": "second" },
    ] }))]);
    assert_eq!(
        errors.to_string(),
        "the platform answered with 2 errors: \"no such thing\" (NOT_FOUND, at a.0.b); \"second\""
    );
    assert_eq!(errors.effect(), PossibleEffect::Unknown, "a field below the mutation failed, so the mutation ran");

    let partial =
        error(vec![ok(&json!({ "data": { "a": 1, "b": null }, "errors": [{ "message": "b failed" }] }))]);
    assert!(matches!(partial, CallError::Partial(_)));
    assert_eq!(partial.effect(), PossibleEffect::Unknown);
}

#[test]
fn errors_under_a_bad_status_are_still_read() {
    let body = json!({ "errors": [{ "message": "Unknown type \"X\"", "extensions": { "code": "GRAPHQL_VALIDATION_FAILED" } }] });
    let error = error(vec![answer("400 Bad Request", "content-type: application/json\r\n", &body.to_string())]);
    assert!(
        matches!(&error, CallError::GraphQl(errors) if errors[0].code.as_deref() == Some("GRAPHQL_VALIDATION_FAILED")),
        "{error}"
    );
}

#[test]
fn a_wrong_form_names_its_place_and_quotes_no_value() {
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Form {
        list: Vec<Item>,
    }
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Item {
        number: u32,
    }
    let body = json!({ "data": { "list": [{ "number": 1 }, { "number": "canary-value" }] } });
    let response = rolecall_sandbox::json_response(200, &body);
    let error = rolecall_graphql::parse::<Form>(&response, &Redactor::default()).unwrap_err();
    assert_eq!(
        error,
        CallError::Shape { path: "data.list[1].number".to_owned(), expected: "expected u32".to_owned() }
    );
}

#[test]
fn a_platform_that_repeats_the_credential_does_not_get_it_shown() {
    let body = json!({ "errors": [{ "message": format!("key {SECRET} is odd\u{1b}[2J"), "path": [SECRET] }] });
    let text = error(vec![ok(&body)]).to_string();
    assert!(!text.contains(SECRET) && text.contains("[redacted]") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_part_of_the_credential_is_not_shown_either() {
    let body = json!({ "data": null, "errors": [{ "message": "no such key: ary-credential" }] });
    assert_eq!(
        error(vec![ok(&body)]).to_string(),
        "the platform answered with the error \"no such key: [redacted]\""
    );
}

/// A peer may say in any error of a connection what it was sent.
#[test]
fn no_error_of_a_connection_shows_the_credential() {
    let redactor = Redactor::new([SecretString::from(SECRET)]);
    let said = format!("detected excessive load (b\"bad key {SECRET}\")");
    let host = format!("{SECRET}.example");
    for error in [
        TransportError::NotSent(said.clone()),
        TransportError::NoAnswer(said.clone()),
        TransportError::Untrusted(said),
        TransportError::Redirected(host),
    ] {
        let shown = redactor.clean_error(error).to_string();
        assert!(!shown.contains(SECRET) && shown.contains("[redacted]"), "{shown}");
    }
    let long = redactor.clean_error(TransportError::NoAnswer("x".repeat(20_000))).to_string();
    assert!(long.chars().count() < 600, "{}", long.len());
}

/// Each way in which a platform says that there were too many requests.
fn rate_limits() -> Vec<Vec<u8>> {
    let errors = |errors: &Value| json!({ "data": null, "errors": errors }).to_string();
    let coded = |code: &str| errors(&json!([{ "message": "slow down, please", "extensions": { "code": code } }]));
    let mut limits = vec![
        answer("429 Too Many", "retry-after: 0\r\n", ""),
        answer("403 Forbidden", "retry-after: 0\r\n", ""),
        answer("403 Forbidden", "x-ratelimit-remaining: 0\r\n", "{}"),
        answer("403 Forbidden", "", "{\"message\":\"API rate limit exceeded for this key\"}"),
        answer("200 OK", "", &errors(&json!([{ "message": "Rate limit exceeded" }]))),
        answer(
            "200 OK",
            "",
            &errors(&json!([{ "message": "x", "errorType": "ThrottlingException", "path": ["a"] }])),
        ),
        answer("200 OK", "", &errors(&json!([{ "message": "x", "extensions": { "code": 429 } }]))),
        answer("503 Unavailable", "retry-after: 0\r\n", &coded("RATE_LIMITED")),
    ];
    for code in ["RATE_LIMITED", "THROTTLED", "TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"] {
        limits.push(answer("200 OK", "retry-after: 0\r\nx-ratelimit-remaining: 0\r\n", &coded(code)));
    }
    limits
}

#[test]
fn a_rate_limit_in_any_form_is_waited_for() {
    let good = ok(&json!({ "data": { "a": 1 } }));
    for limit in rate_limits() {
        let shown = String::from_utf8_lossy(&limit).into_owned();
        let (answer, requests) = ask(vec![limit.clone(), good.clone()]);
        assert_eq!((answer.ok(), requests), (Some(json!({ "a": 1 })), 2), "{shown}");
        let error = error(vec![limit; 9]);
        assert!(matches!(error, CallError::RateLimited { .. }), "{error}: {shown}");
        assert!(error.is_unreachable_or_refused() && error.effect() == PossibleEffect::None, "{shown}");
    }
}

#[test]
fn a_rate_limit_below_the_field_of_a_mutation_leaves_its_effect_open() {
    let body = json!({ "data": { "a": null }, "errors": [{ "message": "x", "errorType": "THROTTLED", "path": ["a", "roles"] }] });
    let (answer, requests) = ask(vec![ok(&body); 9]);
    let error = answer.unwrap_err();
    assert_eq!((error.effect(), requests), (PossibleEffect::Unknown, 5), "{error}");
    assert!(error.is_unreachable_or_refused());
}

#[test]
fn a_limit_of_another_kind_is_a_refusal() {
    for message in ["The limit of 9 seats is reached", "Query depth limit of 5 exceeded", "you may not delete it"]
    {
        let (answer, requests) = ask(vec![ok(&json!({ "errors": [{ "message": message }] }))]);
        assert!(matches!(answer, Err(CallError::GraphQl(_))) && requests == 1, "{message}");
    }
    let refused = error(vec![answer("403 Forbidden", "x-ratelimit-remaining: 7\r\n", "{}")]);
    assert!(matches!(refused, CallError::CredentialRefused(_)));
}

#[test]
fn many_errors_are_counted_and_few_are_shown() {
    let text = |body: Vec<u8>| {
        let response = rolecall_graphql::Response::new(200, body);
        rolecall_graphql::parse::<Value>(&response, &Redactor::default()).unwrap_err()
    };
    let errors = vec![json!({ "message": "e".repeat(400) }); 20_000];
    let shown = text(json!({ "data": null, "errors": errors }).to_string().into_bytes()).to_string();
    assert!(shown.starts_with("the platform answered with 20000 errors: \"eee"), "{shown}");
    assert!(shown.ends_with("…; and 19997 more") && shown.chars().count() < 600, "{shown}");

    let zeros = format!("{{\"errors\":[{}0]}}", "0,".repeat(4_000_000)).into_bytes();
    let shown = text(zeros).to_string();
    assert_eq!(shown, "the platform answered with 4000001 errors: \"0\"; \"0\"; \"0\"; and 3999998 more");
    let steps =
        format!("{{\"errors\":[{{\"message\":\"x\",\"path\":[{}0]}}]}}", "0,".repeat(4_000_000)).into_bytes();
    assert_eq!(text(steps).to_string(), "the platform answered with the error \"x\" (at 0.0.0.0.0.0.0.0)");

    // One internal error among many refusals decides that the effect isn't known.
    let mut mixed = vec![json!({ "message": "no" }); 500];
    mixed.push(json!({ "message": "Unexpected error." }));
    assert_eq!(text(json!({ "errors": mixed }).to_string().into_bytes()).effect(), PossibleEffect::Unknown);
}

#[test]
fn an_endless_answer_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        let block = vec![b' '; 1024 * 1024];
        // The number is limited, so that a client that never stops fails the test.
        for _ in 0..200 {
            if stream.write_all(&block).is_err() {
                return;
            }
        }
    });
    let (answer, _) = ask_with(&url, Duration::from_secs(60));
    assert_eq!(answer.unwrap_err(), CallError::Transport(TransportError::TooLarge(64)));
}

#[test]
fn silence_ends_with_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    let (answer, _) = ask_with(&url, Duration::from_millis(50));
    assert!(matches!(answer.unwrap_err(), CallError::Transport(TransportError::NoAnswer(_))));
    drop(listener);
}

#[test]
fn nobody_listening_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    drop(listener);
    let (answer, requests) = ask_with(&url, Duration::from_secs(5));
    let error = answer.unwrap_err();
    assert!(matches!(error, CallError::Transport(TransportError::NotSent(_))), "{error}");
    assert_eq!((error.effect(), requests), (PossibleEffect::None, 5));
}
