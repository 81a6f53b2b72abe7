//! The JSON in a request: read within bounds of size and time, refused in the errors shape.

use std::{fmt, future::Future, marker::PhantomData, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::PayloadError, http::StatusCode, web::Bytes};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
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

/// Reads a struct from an object only. By itself serde takes an array of the fields' values too, which no contract
/// promises.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// 400 for what is no JSON, 422 for JSON of another shape. What the decoder says of a shape is not passed on, but for the name of a
/// field that is missing: it speaks of our types.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = object(&mut deserializer).and_then(|body| deserializer.end().map(|()| body));
    parsed.map_err(|error| match error.classify() {
        Category::Data => {
            let (line, column) = (error.line(), error.column());
            let what = missing(&error.to_string()).map_or_else(
                || "must be an object with the right fields".to_owned(),
                |field| format!("lacks the field {field}"),
            );
            ApiError::unprocessable("body", format!("{what}; see line {line} column {column}"))
        }
        Category::Syntax | Category::Eof | Category::Io => {
            ApiError::new(StatusCode::BAD_REQUEST, "body", format!("is not JSON: {error}"))
        }
    })
}

/// The field that is missing, if that is what the decoder says.
fn missing(said: &str) -> Option<&str> {
    said.strip_prefix("missing field `")?.split_once('`').map(|(field, _)| field)
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

    use super::*;
    use crate::shapes::{NewUser, UserEnvelope};

    fn refused(text: &str) -> Option<ApiError> {
        parse::<UserEnvelope<NewUser>>(text.as_bytes()).err()
    }

    #[test]
    fn what_is_wrong_with_a_body_shows_in_the_status() {
        assert_eq!(refused(r#"{"user":{"username":"a","unknown":1},"more":[]}"#), None);
        for malformed in ["", "{", "nonsense", "{\"name\":\"\u{1}", r#"{"user":{}} {}"#] {
            assert_eq!(refused(malformed).unwrap().status_code(), 400, "{malformed:?}");
        }
        for other in ["{}", "[1]", "null", r#"{"user":{"username":1}}"#, r#"{"user":null}"#, r#""user""#] {
            assert_eq!(refused(other).unwrap().status_code(), 422, "{other:?}");
        }
    }

    #[test]
    fn a_field_that_is_missing_is_named() {
        let text = refused("{}").unwrap().to_string();
        assert!(text.contains("lacks the field user; see line 1"), "{text}");
    }

    #[test]
    fn an_array_is_no_object_and_no_type_of_ours_is_named() {
        for array in [
            r#"[["arr","arr@x.org","pw"]]"#,
            r#"[{"username":"arr"}]"#,
            r#"{"user":["arr","arr@x.org","pw"]}"#,
            r#"{"user":[]}"#,
        ] {
            let text = refused(array).unwrap_or_else(|| panic!("{array} was taken")).to_string();
            assert!(text.contains("must be an object with the right fields"), "{text}");
            assert!(!text.contains("struct") && !text.contains("Envelope"), "{text}");
        }
    }
}
