//! The least that answering a request takes, for benches to compare with.
//!
//! It is the same server with the same threads and the same middleware around its routes. One asks nobody; another asks an app that has
//! nothing to do but to answer, so what it takes beyond the first is the way over the bus and back, and what a page takes beyond
//! both are the apps and the store. No umbrella runs it.

use actix_web::{
    HttpResponse,
    http::header::ContentType,
    web::{self, Bytes, Path, ServiceConfig},
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use umbel_bus::Bus;
use umbel_core::Query;
use umbel_supervision::Worker;

use crate::{
    error::ApiError,
    health::Readiness,
    server::{BoundAddress, Server, Serves},
    settings::GatewaySettings,
    state::State,
};

/// What surrounds the filling of an answer.
const BEGIN: &str = "{\"floor\":\"";
const END: &str = "\"}";

/// Asks an app for an answer of so many bytes; see [`filled`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Query)]
#[query(name = "floor.fill", answer = String)]
pub struct Fill {
    /// How many.
    pub bytes: usize,
}

/// A gateway that answers any request for `/floor/{bytes}` with JSON of so many bytes, one for `/asked/{bytes}` with the same from whoever
/// answers [`Fill`] on the bus, and nothing else. If it has a body, that is read as JSON first.
#[must_use]
pub fn worker(settings: GatewaySettings, bus: Bus, bound: BoundAddress) -> Worker {
    let readiness = Readiness::new(|| async { Ok(()) });
    Server { settings, bus, readiness, bound, serves: Serves::Floor }.worker()
}

/// JSON of so many bytes.
#[must_use]
pub fn filled(bytes: usize) -> String {
    let filling = "x".repeat(bytes.saturating_sub(BEGIN.len() + END.len()));
    format!("{BEGIN}{filling}{END}")
}

/// The only routes.
pub(crate) fn configure(state: &State) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = web::Data::new(state.clone());
    move |config| {
        let config = config.app_data(state).route("/floor/{bytes}", web::route().to(answer));
        config.route("/asked/{bytes}", web::route().to(ask));
    }
}

async fn answer(state: web::Data<State>, bytes: Path<String>, body: Bytes) -> Result<HttpResponse, ApiError> {
    read(&body)?;
    Ok(json(filled(size(&state, &bytes)?)))
}

async fn ask(state: web::Data<State>, bytes: Path<String>, body: Bytes) -> Result<HttpResponse, ApiError> {
    read(&body)?;
    let question = Fill { bytes: size(&state, &bytes)? };
    Ok(json(state.bus.ask_within(question, state.request_deadline).await?))
}

fn read(body: &Bytes) -> Result<(), ApiError> {
    let is_json = body.is_empty() || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if is_json { Ok(()) } else { Err(ApiError::unprocessable("body", "is no JSON")) }
}

fn json(body: String) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(body)
}

/// An answer is as large as a request may be, at most.
fn size(state: &State, bytes: &str) -> Result<usize, ApiError> {
    let bytes: Option<usize> = bytes.parse().ok().filter(|bytes| *bytes <= state.body_limit_bytes);
    bytes.ok_or_else(|| ApiError::unprocessable("bytes", "is no size of an answer"))
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        middleware::from_fn,
        test::{TestRequest, call_service, init_service, read_body},
    };

    use super::*;
    use crate::{edge, tests::state};

    fn get(path: &str) -> (u16, Vec<u8>) {
        answered(TestRequest::get().uri(path))
    }

    fn answered(request: TestRequest) -> (u16, Vec<u8>) {
        actix::System::new().block_on(async {
            let app = App::new().wrap(from_fn(edge::around)).configure(configure(&state()));
            let request = request.to_request();
            let response = call_service(&init_service(app).await, request).await;
            (response.status().as_u16(), read_body(response).await.to_vec())
        })
    }

    #[test]
    fn it_answers_json_of_the_size_that_is_asked_for() {
        let (status, body) = get("/floor/100");
        assert_eq!((status, body.len()), (200, 100));
        assert!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["floor"].is_string());
        for none in ["/floor/-1", "/floor/1001", "/floor/99999999999999999999999"] {
            assert_eq!(get(none).0, 422, "{none}");
        }
    }

    #[test]
    fn what_is_sent_is_read() {
        let sent = |body| answered(TestRequest::post().uri("/floor/100").set_payload(body));
        let (status, body) = sent("{\"article\":{}}");
        assert_eq!((status, body.len()), (200, 100));
        assert_eq!(sent("{\"article\"").0, 422);
    }

    #[test]
    fn what_nobody_answers_is_said_so() {
        assert_eq!(get("/asked/100").0, 503);
    }
}
