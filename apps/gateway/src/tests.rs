//! The HTTP surface over a bus on which nothing runs: what is answered before any app is asked, and what when
//! none is there.

use std::future::{Future, ready};

use actix_web::{
    App,
    http::{Method, header, header::HeaderMap},
    middleware::from_fn,
    test::{TestRequest, call_service, init_service, read_body},
};
use serde_json::{Value, json};
use umbel_bus::{Bus, BusSettings, Halt, Middleware, Passage, edge::now};
use umbel_core::Timestamp;
use uuid::Uuid;

use crate::{
    edge,
    health::Readiness,
    routes,
    settings::{GatewaySettings, Secret},
    state::State,
};

const SECRET: &str = "not a secret: only tests are signed with this";

/// Settings of a gateway for tests.
pub(crate) fn settings() -> GatewaySettings {
    GatewaySettings {
        address: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        body_limit_bytes: 1000,
        jwt_secret: Secret::new(SECRET),
        jwt_secret_file: String::new(),
        jwt_secret_before: Secret::default(),
        jwt_lifetime_s: 60,
        cors_allowed_origins: "*".into(),
        request_deadline_ms: 5000,
        head_deadline_ms: 5000,
        ready_in_part: true,
        login_failures_max: 10,
        login_failures_per_address_max: 100,
        login_failures_within_s: 60,
        login_failures_kept_max: 100,
        client_address_header: None,
    }
}

/// An answer as a client sees it.
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The status, and what `errors` holds under its one key.
    fn error(&self) -> (u16, &str, &str) {
        let errors =
            self.body["errors"].as_object().unwrap_or_else(|| panic!("no errors shape: {}", self.body));
        let (key, messages) = errors.iter().next().unwrap();
        assert_eq!((errors.len(), messages.as_array().unwrap().len()), (1, 1), "{}", self.body);
        (self.status, key, messages[0].as_str().unwrap())
    }
}

/// Sends one request to a gateway of its own.
fn send(request: TestRequest) -> Seen {
    send_to(&state(), request)
}

fn send_to(state: &State, request: TestRequest) -> Seen {
    actix::System::new().block_on(async {
        let app = App::new().wrap(from_fn(edge::around)).configure(routes::configure(state));
        let response = call_service(&init_service(app).await, request.to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&read_body(response).await).unwrap_or(Value::Null);
        Seen { status, headers, body }
    })
}

/// What handlers hold, before a bus without apps.
pub(crate) fn state() -> State {
    let readiness = Readiness::new(|| async { Err(vec!["accounts".to_owned()]) });
    State::new(&settings(), &Secret::new(SECRET), Bus::new(BusSettings::default()), readiness)
}

fn authorization(issued_at: Timestamp) -> (header::HeaderName, String) {
    let token = state().tokens.issue(Uuid::from_u128(7), issued_at).unwrap();
    (header::AUTHORIZATION, format!("Token {token}"))
}

fn valid() -> (header::HeaderName, String) {
    authorization(now())
}

fn expired() -> (header::HeaderName, String) {
    authorization(Timestamp::from_micros(0))
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

fn post(path: &str, body: &str) -> TestRequest {
    TestRequest::post().uri(path).set_payload(body.to_owned())
}

/// A body that would be refused, were it looked at.
const MALFORMED: &str = "{";

const USER: &str = r#"{"user":{"username":"jake","email":"jake@example.com","password":"jakejake"}}"#;

#[test]
fn the_token_is_looked_at_before_the_body() {
    for request in [
        get("/api/user"),
        TestRequest::put().uri("/api/user").set_payload(MALFORMED),
        post("/api/articles", MALFORMED),
        get("/api/articles/feed"),
        TestRequest::put().uri("/api/articles/x").set_payload(MALFORMED),
        TestRequest::delete().uri("/api/articles/x"),
        post("/api/articles/x/favorite", ""),
        TestRequest::delete().uri("/api/articles/x/favorite"),
        post("/api/articles/x/comments", MALFORMED),
        TestRequest::delete().uri("/api/articles/x/comments/x"),
        post("/api/profiles/x/follow", ""),
        TestRequest::delete().uri("/api/profiles/x/follow"),
    ] {
        let answer = send(request);
        assert_eq!(answer.error(), (401, "token", "is missing"));
        assert_eq!(answer.header("www-authenticate"), Some("Token"));
    }
    let other_scheme = get("/api/user").insert_header((header::AUTHORIZATION, "Basic amFrZTpqYWtl"));
    assert_eq!(send(other_scheme).error(), (401, "token", "is missing"));
    let invalid = post("/api/articles", MALFORMED).insert_header((header::AUTHORIZATION, "Token abc"));
    assert_eq!(send(invalid).error(), (401, "token", "is invalid"));
    let old = post("/api/articles", MALFORMED).insert_header(expired());
    assert_eq!(send(old).error(), (401, "token", "has expired"));
}

#[test]
fn a_body_is_refused_in_the_errors_shape() {
    let status = |answer: &Seen| (answer.error().0, answer.error().1.to_owned());
    let malformed = send(post("/api/users", MALFORMED));
    assert_eq!(status(&malformed), (400, "body".into()));
    let wrong = send(post("/api/users/login", r#"{"user":{"email":1}}"#));
    assert_eq!(wrong.error(), (422, "email", "must be a string"));
    assert_eq!(status(&send(post("/api/articles", "[]").insert_header(valid()))), (422, "body".into()));
    let large = send(post("/api/users", &"x".repeat(1001)));
    assert_eq!(large.error(), (413, "body", "is too large"));
}

/// Whatever an optional token is worth, a public page is answered as to anybody: here, that nobody is there to ask.
#[test]
fn a_bad_token_on_a_public_page_counts_as_none() {
    for request in [get("/api/articles").insert_header(expired()), get("/api/articles/dragons")] {
        let answer = send(request.insert_header((header::ACCEPT, "application/json")));
        assert_eq!(answer.error(), (503, "server", "does not run the app that answers this"));
    }
}

#[test]
fn an_app_that_is_not_run_here_is_not_worth_another_try() {
    for request in [post("/api/users", USER), get("/api/tags"), get("/api/user").insert_header(valid())] {
        let answer = send(request);
        assert_eq!(answer.error(), (503, "server", "does not run the app that answers this"));
        assert_eq!(answer.header("retry-after"), None);
    }
}

/// What stands around commands says no: with a reason for whoever sent them, and not as a failure of the server.
#[test]
fn a_halted_command_is_forbidden() {
    struct Quota;

    impl Middleware for Quota {
        const NAME: &'static str = "quota";

        fn before(&self, _: &mut Passage) -> impl Future<Output = Result<(), Halt>> + Send {
            ready(Err(Halt::because("no more today")))
        }
    }

    let state = state();
    state.bus.add_middleware(Quota);
    let halted = send_to(&state, post("/api/users", USER));
    assert_eq!(halted.error(), (403, "request", "no more today"));
    assert_eq!(send_to(&state, get("/api/tags")).status, 503, "questions are no commands");
}

#[test]
fn the_log_hears_once_of_an_app_that_is_not_run_here() {
    let state = state();
    let worker = state.clone();
    assert!(state.note_unanswered("a.b") && !worker.note_unanswered("a.b"));
    assert!(worker.note_unanswered("a.c") && !state.note_unanswered("a.c"));
}

#[test]
fn what_is_no_route_has_the_errors_shape() {
    assert_eq!(send(get("/api/nothing")).error(), (404, "route", "not found"));
    assert_eq!(send(get("/")).error(), (404, "route", "not found"));
    let delete = send(TestRequest::delete().uri("/api/user"));
    assert_eq!(delete.error(), (405, "method", "not allowed"));
    assert_eq!(delete.header("allow"), Some("GET, HEAD, PUT"));
}

#[test]
fn head_is_answered_like_get() {
    for path in ["/health/live", "/health/ready", "/api/tags", "/api/user", "/api/users", "/api/nothing"] {
        let head = send(TestRequest::default().method(Method::HEAD).uri(path));
        assert_eq!(head.status, send(get(path)).status, "{path}");
    }
}

#[test]
fn a_page_that_is_none_is_refused() {
    let answer = send(get("/api/articles?limit=-1"));
    assert_eq!((answer.error().0, answer.error().1), (422, "limit"));
    let answer = send(get("/api/articles?offset=x"));
    assert_eq!((answer.error().0, answer.error().1), (422, "offset"));
}

#[test]
fn browsers_hear_what_they_may_do() {
    for path in ["/api/user", "/api/nothing"] {
        let answer = send(TestRequest::default().method(Method::OPTIONS).uri(path));
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(["GET", "POST", "PUT", "DELETE"].iter().all(|method| methods.contains(method)), "{methods}");
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("Authorization") && headers.contains("Content-Type"), "{headers}");
    }
    assert_eq!(send(get("/api/user")).header("access-control-allow-origin"), Some("*"));
}

#[test]
fn a_request_keeps_its_id_and_gets_one_otherwise() {
    let id = "0190f5e2-8a4b-7c3d-9e1f-2a3b4c5d6e7f";
    assert_eq!(send(get("/api/tags").insert_header(("x-request-id", id))).header("x-request-id"), Some(id));
    let made = send(get("/api/nothing").insert_header(("x-request-id", "<script>")));
    assert!(made.header("x-request-id").unwrap().parse::<Uuid>().is_ok());
}

#[test]
fn an_idempotency_key_is_a_uuid() {
    let answer = send(post("/api/users", USER).insert_header(("idempotency-key", "again")));
    assert_eq!(answer.error(), (422, "Idempotency-Key", "is not a UUID"));
    let key = ("idempotency-key", "0190f5e2-8a4b-7c3d-9e1f-2a3b4c5d6e7f");
    assert_eq!(send(post("/api/users", USER).insert_header(key)).status, 503);
}

#[test]
fn health_tells_living_from_ready() {
    let live = send(get("/health/live"));
    assert_eq!((live.status, live.body), (200, json!({ "status": "live" })));
    let ready = send(get("/health/ready"));
    assert_eq!((ready.status, &ready.body["status"]), (503, &json!("not ready")));
    assert_eq!(ready.body["not_up"], json!(["accounts"]));
    let unanswered = ready.body["unanswered"].as_array().unwrap();
    for message in ["accounts.register", "articles.list_tags", "social.relate"] {
        assert!(unanswered.contains(&json!(message)), "{unanswered:?}");
    }
}
