//! The JSON in a request: read within bounds of size and time, refused in the errors shape.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::PayloadError, http::StatusCode, web::Bytes};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{call::Call, error::ApiError};

/// A request's body as `T`, whatever content type it claims.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let within = Call::of(request).map(|call| call.remaining());
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            let bytes = tokio::time::timeout(within?, bytes).await.map_err(|_| too_slow())?;
            parse(&bytes.map_err(|error| unreadable(&error))?).map(Self)
        })
    }
}

/// 400 for what is no JSON, 422 for JSON of another shape.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => ApiError::unprocessable("body", format!("is not as expected: {error}")),
        Category::Syntax | Category::Eof | Category::Io => {
            ApiError::new(StatusCode::BAD_REQUEST, "body", format!("is not JSON: {error}"))
        }
    })
}

fn unreadable(error: &actix_web::Error) -> ApiError {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body", "is too large"),
        _ => ApiError::new(StatusCode::BAD_REQUEST, "body", "cannot be read"),
    }
}

fn too_slow() -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "body", "did not arrive in time")
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Wanted {
        #[expect(dead_code, reason = "only its presence matters")]
        name: String,
    }

    fn status(text: &str) -> u16 {
        parse::<Wanted>(text.as_bytes()).map_or_else(|error| error.status_code().as_u16(), |_| 200)
    }

    #[test]
    fn what_is_wrong_with_a_body_shows_in_the_status() {
        assert_eq!(status(r#"{"name":"a","unknown":1}"#), 200);
        for malformed in ["", "{", "nonsense", "{\"name\":\"\u{1}"] {
            assert_eq!(status(malformed), 400, "{malformed:?}");
        }
        for other in ["{}", "[1]", "null", r#"{"name":1}"#] {
            assert_eq!(status(other), 422, "{other:?}");
        }
    }
}
