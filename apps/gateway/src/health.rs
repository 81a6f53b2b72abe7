//! Whether this process lives, and whether it can serve: all of it is up, and somebody who is reached answers each message of the API.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::{needs, state::State};

/// How long to wait for the answer to "can you serve?". Probes give up after a second or so too.
const CHECK_WITHIN: Duration = Duration::from_secs(1);

type Check = dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Vec<String>>>>> + Send + Sync;

/// Answers whether the whole process can serve, or what is not up. Cheap to clone.
#[derive(Clone)]
pub struct Readiness(Arc<Check>);

impl Readiness {
    /// Asked once per request for `/health/ready`; `Err` names what is not up.
    pub fn new<F, Fut>(check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Vec<String>>> + 'static,
    {
        Self(Arc::new(move || Box::pin(check())))
    }

    async fn check(&self) -> Result<(), Vec<String>> {
        let answered = tokio::time::timeout(CHECK_WITHIN, (self.0)()).await;
        answered.unwrap_or_else(|_| Err(vec!["no answer in time".to_owned()]))
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readiness")
    }
}

/// `GET /health/live`: this process answers.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// `GET /health/ready`: this process can serve.
pub(crate) async fn ready(state: web::Data<State>) -> HttpResponse {
    let not_up = state.readiness.check().await.err().unwrap_or_default();
    let (ready, said) = told(&not_up, &needs::unanswered(&state.bus), state.ready_in_part);
    if ready { HttpResponse::Ok().json(said) } else { HttpResponse::ServiceUnavailable().json(said) }
}

/// Whether that is ready, and what is said of it. Messages are named, and not the hosts that would answer them.
fn told(not_up: &[String], unanswered: &[&str], ready_in_part: bool) -> (bool, Value) {
    let ready = not_up.is_empty() && (ready_in_part || unanswered.is_empty());
    let mut said = json!({ "status": if ready { "ready" } else { "not ready" } });
    for (key, names) in [("not_up", json!(not_up)), ("unanswered", json!(unanswered))] {
        if names != json!([]) {
            said[key] = names;
        }
    }
    (ready, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LK-15: what is not up, and what is answered nowhere, keeps a gateway from being ready, and is named; the latter unless it is meant to
    /// serve a part.
    #[test]
    fn what_keeps_it_from_being_ready_is_named() {
        let (down, nowhere) = (["accounts".to_owned()], ["articles.publish"]);
        let ready = (true, json!({"status": "ready"}));
        assert_eq!(told(&[], &[], false), ready);
        let not_up = (false, json!({"status": "not ready", "not_up": ["accounts"]}));
        assert_eq!((told(&down, &[], false), told(&down, &[], true)), (not_up.clone(), not_up));
        let unanswered = json!({"status": "not ready", "unanswered": ["articles.publish"]});
        assert_eq!(told(&[], &nowhere, false), (false, unanswered));
        let in_part = json!({"status": "ready", "unanswered": ["articles.publish"]});
        assert_eq!(told(&[], &nowhere, true), (true, in_part));
    }
}
