//! Requests stay within the quota that a platform asks for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rolecall_graphql::{BackpressureTransport, Query, RateLimit, Request, Response, Transport, TransportError};
use serde_json::json;
use tokio::time::Instant;

/// A platform that answers in order and records the times of requests.
struct Platform {
    answers: Mutex<Vec<Response>>,
    asked: Mutex<Vec<Instant>>,
}

impl Transport for Platform {
    fn send<'a>(
        &'a self,
        _: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        self.asked.lock().unwrap().push(Instant::now());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.is_empty() { fine() } else { answers.remove(0) };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

fn fine() -> Response {
    Response::new(200, b"{}".to_vec())
}

fn too_many(retry_after: Option<u64>) -> Response {
    Response { retry_after: retry_after.map(Duration::from_secs), ..Response::new(429, Vec::new()) }
}

fn quota_response(remaining: u64, reset: u64) -> Response {
    Response { rate_limit: Some(RateLimit { remaining, reset: Duration::from_secs(reset) }), ..fine() }
}

/// Sends this many requests at once. Returns the time of each in milliseconds, and the waits that were reported.
fn sent_at(answers: Vec<Response>, requests: usize) -> (Vec<u128>, Vec<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let platform = Arc::new(Platform { answers: Mutex::new(answers), asked: Mutex::default() });
        let waits = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&waits);
        let on_wait = Arc::new(move |wait: Duration| recorded.lock().unwrap().push(wait.as_secs()));
        let transport = BackpressureTransport::new(platform.clone(), on_wait);
        let request = Request::query(&Query::new("Q", "query Q { q }"), json!({}));
        let began = Instant::now();
        for _ in 0..requests {
            transport.ready().await;
            transport.send(&request).await.unwrap();
        }
        let asked = platform.asked.lock().unwrap().iter().map(|at| (*at - began).as_millis()).collect();
        let waits = waits.lock().unwrap().clone();
        (asked, waits)
    })
}

#[test]
fn nothing_waits_where_nobody_asks_for_it() {
    assert_eq!(sent_at(vec![], 5), (vec![0; 5], vec![]));
    assert_eq!(sent_at(vec![quota_response(3, 60), quota_response(1, 60)], 3), (vec![0; 3], vec![]));
}

#[test]
fn a_request_after_a_refusal_waits_as_long_as_the_platform_asked() {
    let (asked, waits) = sent_at(vec![fine(), too_many(Some(7))], 3);
    assert_eq!((asked, waits), (vec![0, 0, 7000], vec![7]));
    // The platform doesn't say how long to wait.
    assert_eq!(sent_at(vec![too_many(None)], 2).0, [0, 1000]);
}

#[test]
fn a_platform_that_is_away_for_so_long_is_left_alone_for_so_long() {
    let away = |retry_after: Option<u64>| Response { status: 503, ..too_many(retry_after) };
    assert_eq!(sent_at(vec![away(Some(7))], 2).0, [0, 7000]);
    assert_eq!(sent_at(vec![away(None)], 2).0, [0, 0]);
}

#[test]
fn a_refusal_with_http_200_slows_down_as_well() {
    let body = json!({ "errors": [{ "message": "slow down", "extensions": { "code": "RATE_LIMITED" } }] });
    let limited =
        |retry_after| Response { status: 200, body: body.to_string().into_bytes(), ..too_many(retry_after) };
    assert_eq!(sent_at(vec![limited(Some(7))], 2).0, [0, 7000]);
    assert_eq!(sent_at(vec![limited(None)], 2).0, [0, 1000]);
}

#[test]
fn a_limit_that_is_used_up_is_not_tried() {
    assert_eq!(sent_at(vec![quota_response(1, 9), quota_response(0, 9)], 4).0, [0, 0, 9000, 9000]);
}

#[test]
fn refusals_make_it_slower_and_answers_faster_again() {
    let (asked, _) = sent_at(vec![too_many(Some(0)), too_many(Some(0)), too_many(Some(0))], 10);
    let intervals: Vec<u128> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(intervals, [100, 200, 400, 300, 225, 169, 127, 95, 0]);
}

/// A quota that is used up for days doesn't make the program hang: the next request fails and says why.
#[test]
fn nobody_waits_for_days() {
    assert_eq!(sent_at(vec![quota_response(0, 86_400), too_many(Some(3600))], 3).0, [0, 0, 100]);
}
