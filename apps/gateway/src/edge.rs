//! What happens to every request, whatever its route: an id, a deadline, and what browsers want to hear.

use std::time::Duration;

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use tokio::time::Instant;
use umbel_bus::edge;
use uuid::Uuid;

use crate::state::State;

/// Carries a request's id: accepted if it is a UUID, always answered. It is the correlation id of all that the
/// request leads to.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Carries a UUID that says "this is the same request again": a write that is sent again with the same key by the same
/// user and with the same body happens once, and is answered as it was the first time. With another body it is another
/// request, whatever its key.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
const HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key, X-Request-Id, X-Requested-With");
const EXPOSED: HeaderValue = HeaderValue::from_static("X-Request-Id, Retry-After");

/// Seconds for which a browser may remember the answer to its question. What Chrome allows at most.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// A request's id and deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestContext {
    pub(crate) id: Uuid,
    deadline: Instant,
}

/// Which origins' pages may call the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cors {
    /// Any: the tokens are no cookies, so a page can only use a token that it was given.
    Any,
    /// These.
    Only(Vec<String>),
}

impl RequestContext {
    /// What is left of the request's time.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Cors {
    /// `*`, or origins separated by commas.
    pub(crate) fn new(setting: &str) -> Self {
        match setting.trim() {
            "*" => Self::Any,
            list => {
                let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
                Self::Only(origins.map(str::to_owned).collect())
            }
        }
    }

    /// Adds what a browser wants to know before it shows the answer to a page of this origin.
    fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        match self {
            Self::Any => headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            Self::Only(origins) => {
                // Caches must not give one origin's answer to another, whatever this one's is.
                headers.append(header::VARY, HeaderValue::from_static("Origin"));
                let known =
                    origin.filter(|origin| origins.iter().any(|known| known.as_bytes() == origin.as_bytes()));
                let Some(origin) = known else { return };
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone())
            }
        };
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// The middleware around everything.
pub(crate) async fn around<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = request.app_data::<web::Data<State>>().cloned();
    let state = state.expect("the app is built with its state");
    let id = sent_id(request.headers(), &REQUEST_ID).unwrap_or_else(edge::fresh_id);
    let deadline = Instant::now() + state.request_deadline;
    request.extensions_mut().insert(RequestContext { id, deadline });
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (method, path) = (request.method().clone(), request.path().to_owned());

    if method == Method::HEAD {
        // Answered like GET; the server knows what was asked and sends the head of the answer only.
        request.head_mut().method = Method::GET;
    }
    let mut response = if method == Method::OPTIONS {
        request.into_response(preflight())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = response.headers_mut();
    state.cors.allow(origin.as_ref(), headers);
    let id_text = HeaderValue::from_str(&id.to_string()).expect("a UUID is made of hex digits and dashes");
    headers.insert(REQUEST_ID, id_text);
    tracing::debug!(%method, path, status = response.status().as_u16(), request_id = %id, "answered");
    Ok(response)
}

/// The UUID in a header, if there is one.
fn sent_id(headers: &HeaderMap, name: &HeaderName) -> Option<Uuid> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(setting: &str, origin: &'static str) -> (Option<String>, bool) {
        let mut headers = HeaderMap::new();
        Cors::new(setting).allow(Some(&HeaderValue::from_static(origin)), &mut headers);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let varies = headers.contains_key(header::VARY);
        (headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(text), varies)
    }

    #[test]
    fn origins_are_allowed_as_set() {
        assert_eq!(allowed("*", "https://a.example"), (Some("*".into()), false));
        let two = "https://a.example, https://b.example";
        assert_eq!(allowed(two, "https://b.example"), (Some("https://b.example".into()), true));
        assert_eq!(allowed(two, "https://b.example.evil.example"), (None, true));
        assert_eq!(allowed("", "https://a.example"), (None, true));
    }
}
