//! A small JSON client.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use ureq::{
    Agent, RequestBuilder,
    http::{HeaderMap, Response},
};

use crate::support::PATIENCE;

/// Talks to one gateway or to several in turns, as somebody or as nobody.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    /// Where the gateways are.
    bases: Arc<[String]>,
    /// Requests so far, those of all clones together: the next goes to another gateway than the last.
    sent: Arc<AtomicUsize>,
    token: Option<String>,
    scheme: &'static str,
    idempotency_key: Option<String>,
}

/// Status and body of an answer; a body that is not JSON is null.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    headers: HeaderMap,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::in_turns(&[address])
    }

    /// Each request goes to the next of these gateways, as behind a load balancer that knows no sessions.
    pub(crate) fn in_turns(addresses: &[SocketAddr]) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Self {
            agent: config.build().into(),
            bases: addresses.iter().map(|address| format!("http://{address}")).collect(),
            sent: Arc::default(),
            token: None,
            scheme: "Token",
            idempotency_key: None,
        }
    }

    /// The URL of a path at the gateway whose turn it is.
    fn url(&self, path: &str) -> String {
        let turn = self.sent.fetch_add(1, Ordering::Relaxed) % self.bases.len();
        format!("{}{path}", self.bases[turn])
    }

    /// The same, with this token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same, with its token announced as this.
    pub(crate) fn with_scheme(&self, scheme: &'static str) -> Self {
        Self { scheme, ..self.clone() }
    }

    /// The same, with this key on every write.
    pub(crate) fn with_idempotency_key(&self, key: &str) -> Self {
        Self { idempotency_key: Some(key.to_owned()), ..self.clone() }
    }

    /// The token it has.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("this client is somebody")
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    pub(crate) fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        read(self.signed(self.agent.get(self.url(path))).call()?)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Result<Answer, ureq::Error> {
        self.send("POST", path, &body.to_string())
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &body.to_string()).unwrap_or_else(|error| panic!("PUT {path}: {error}"))
    }

    /// POST without a body.
    #[track_caller]
    pub(crate) fn post_nothing(&self, path: &str) -> Answer {
        self.send("POST", path, "").unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.try_delete(path).unwrap_or_else(|error| panic!("DELETE {path}: {error}"))
    }

    pub(crate) fn try_delete(&self, path: &str) -> Result<Answer, ureq::Error> {
        read(self.signed(self.agent.delete(self.url(path))).call()?)
    }

    /// Sends a text as it is, to see what happens.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Result<Answer, ureq::Error> {
        let url = self.url(path);
        let request = match method {
            "PUT" => self.agent.put(url),
            "PATCH" => self.agent.patch(url),
            _ => self.agent.post(url),
        };
        read(self.signed(request.header("content-type", "application/json")).send(body)?)
    }

    /// The request with what this client says of itself.
    fn signed<B>(&self, mut request: RequestBuilder<B>) -> RequestBuilder<B> {
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("{} {token}", self.scheme));
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        request
    }

    /// What a page of this origin hears: the head of the answer to a GET, or to what its browser asks before (OPTIONS).
    #[track_caller]
    pub(crate) fn heard(&self, method: &str, path: &str, origin: &str) -> Heard {
        let url = self.url(path);
        let request = match method {
            "OPTIONS" => self.agent.options(url).header("access-control-request-method", "PUT"),
            _ => self.agent.get(url),
        };
        let mut request = request.header("origin", origin);
        // A browser sends no token before it is allowed to.
        if let (Some(token), "GET") = (&self.token, method) {
            request = request.header("authorization", format!("{} {token}", self.scheme));
        }
        let answer = request.call().unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        Heard { status: answer.status().as_u16(), headers: answer.headers().clone() }
    }

    /// Registers somebody and answers a client with their token.
    #[track_caller]
    pub(crate) fn register(&self, name: &str) -> Self {
        let user = serde_json::json!({
            "user": {"username": name, "email": format!("{name}@example.org"), "password": "correct horse"}
        });
        let answer = self.post("/api/users", &user);
        assert_eq!(answer.status, 201, "{answer:?}");
        self.with_token(answer.body["user"]["token"].as_str().unwrap())
    }

    /// Publishes an article and answers its slug.
    #[track_caller]
    pub(crate) fn publish(&self, title: &str, tags: &[&str]) -> String {
        let article = serde_json::json!({
            "article": {"title": title, "description": "About it", "body": "All of it.", "tagList": tags}
        });
        let answer = self.post("/api/articles", &article);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["article"]["slug"].as_str().unwrap().to_owned()
    }
}

fn read(mut response: Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string()?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
}
