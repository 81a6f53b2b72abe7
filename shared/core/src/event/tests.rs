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

/// LD-09: what nobody could ever forget is not stored.
#[test]
fn personal_data_of_nobody_is_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Joined(crate::Personal<String>);
    impl Event for Joined {
        const NAME: &'static str = "club.joined";
    }
    let of = |name| EncodedEvent::of(&Joined(name));
    assert_eq!(of(crate::Personal::Known("Ada".into())), Err(PayloadError::NoSubject));
    assert!(of(crate::Personal::Forgotten).is_ok());
}
