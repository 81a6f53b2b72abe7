//! Whether this process lives, and whether it can serve.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::state::State;

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
    match state.readiness.check().await {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Err(not_up) => {
            HttpResponse::ServiceUnavailable().json(json!({ "status": "not ready", "not_up": not_up }))
        }
    }
}
