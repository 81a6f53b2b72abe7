//! Names, versions and forms of events.

use super::*;
use crate::json::Json;

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "bank.opened", schema = 2, upcasters = [|old| Ok(old.unchanged())])]
struct Opened {
    owner: String,
}

events! {
    #[derive(PartialEq)]
    enum Bank { Opened(Opened) }
}

#[test]
fn decodes_its_own_kinds_only() {
    let EncodedEvent { event_type, data, .. } = Bank::from(Opened { owner: "Ada".into() }).encode().unwrap();
    assert_eq!(Bank::decode(&event_type, &data), Ok(Some(Bank::Opened(Opened { owner: "Ada".into() }))));
    assert_eq!(Bank::decode(&"bank.closed/1".parse().unwrap(), &data), Ok(None));
}

#[test]
fn says_why_it_cannot_read_an_event() {
    let data = Payload::from(Json::parse(r#"{"owner":1}"#).unwrap());
    assert_eq!(Bank::decode(&"bank.opened/3".parse().unwrap(), &data), Ok(None));
    let malformed = Bank::decode(&"bank.opened/2".parse().unwrap(), &data).unwrap_err();
    assert!(matches!(malformed, DecodeError::Malformed { .. }), "{malformed}");
}

#[test]
fn a_type_is_written_with_its_schema_version() {
    let event_type: EventType = "a/b/12".parse().unwrap();
    assert_eq!((event_type.name.as_ref(), event_type.schema), ("a/b", 12));
    assert_eq!(event_type.to_string(), "a/b/12");
    for wrong in ["", "a", "a/", "/1", "a/0", "a/x", "a/2147483648"] {
        assert_eq!(wrong.parse::<EventType>(), Err(EventTypeError::Form(wrong.into())));
    }
    assert_eq!("a\0b/1".parse::<EventType>(), Err(EventTypeError::Name(NameError::Character('\0'))));
    let error = format!("{}/1", "x".repeat(100_000)).parse::<EventType>().unwrap_err().to_string();
    assert!(error.contains("100000 bytes") && error.len() < 200, "{error}");
}
