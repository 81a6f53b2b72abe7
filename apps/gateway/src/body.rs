//! The JSON in a request: read within bounds of size and time, refused in the errors shape.

use std::{fmt, future::Future, marker::PhantomData, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::PayloadError, http::StatusCode, web::Bytes};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;
use serde_path_to_error::{Deserializer as Following, Path, Segment, Track};

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

/// What a struct is read from.
const OBJECT: &str = "an object";

/// Reads a struct from an object only. By itself serde takes an array of the fields' values too, which no contract
/// promises.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(OBJECT)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// 400 for what is no JSON, 422 for JSON of another shape. What the decoder says of a shape is not passed on, but for the name of a
/// field and the kind of value it has to have: it speaks of our types.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut track = Track::new();
    let parsed = object(Following::new(&mut deserializer, &mut track));
    let parsed = parsed.and_then(|body| deserializer.end().map(|()| body));
    parsed.map_err(|error| match error.classify() {
        Category::Data => misshapen(&error.to_string(), &track.path()),
        Category::Syntax | Category::Eof | Category::Io => {
            ApiError::new(StatusCode::BAD_REQUEST, "body", format!("is not JSON: {error}"))
        }
    })
}

/// What the decoder says of the value at a place, for whoever sent it.
fn misshapen(said: &str, place: &Path) -> ApiError {
    if let Some(field) = between(said, "missing field `", "`") {
        return ApiError::unprocessable(field, "is missing");
    }
    if let Some(field) = between(said, "duplicate field `", "`") {
        return ApiError::unprocessable(field, "is there twice");
    }
    let wanted = match between(said, ", expected ", " at line ") {
        Some("a string") => "a string",
        Some("a sequence") => "a list",
        Some(expected) if expected == OBJECT => OBJECT,
        _ => "of another type",
    };
    let (mut field, mut element) = ("body", String::new());
    for segment in place {
        match segment {
            Segment::Map { key } => (field, element) = (key, String::new()),
            Segment::Seq { index } => element = format!("[{index}] "),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    ApiError::unprocessable(field, format!("{element}must be {wanted}"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
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
    use crate::shapes::{ArticleEnvelope, NewArticle, NewUser, UserEnvelope};

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
    fn the_field_that_is_wrong_is_named() {
        let article = |text: &str| {
            let error = parse::<ArticleEnvelope<NewArticle>>(text.as_bytes()).unwrap_err();
            (error.status_code().as_u16(), error.to_string().split_once(' ').unwrap().1.to_owned())
        };
        for (text, named) in [
            ("{}", r#"{"article": ["is missing"]}"#),
            ("[]", r#"{"body": ["must be an object"]}"#),
            (r#"{"article":1}"#, r#"{"article": ["must be an object"]}"#),
            (r#"{"article":[]}"#, r#"{"article": ["must be an object"]}"#),
            (r#"{"article":{"title":1}}"#, r#"{"title": ["must be a string"]}"#),
            (r#"{"article":{"title":{"title":""}}}"#, r#"{"title": ["must be a string"]}"#),
            (r#"{"article":{"title":"","title":""}}"#, r#"{"title": ["is there twice"]}"#),
            (r#"{"article":{"tagList":"a"}}"#, r#"{"tagList": ["must be a list"]}"#),
            (r#"{"article":{"tagList":["a",1]}}"#, r#"{"tagList": ["[1] must be a string"]}"#),
            (r#"{"more":[1],"article":{"body":true}}"#, r#"{"body": ["must be a string"]}"#),
        ] {
            let (status, said) = article(text);
            assert!(status == 422 && said.ends_with(named), "{text}: {status} {said}");
        }
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
            assert!(text.contains("must be an object"), "{text}");
            assert!(!text.contains("struct") && !text.contains("Envelope"), "{text}");
        }
    }
}
