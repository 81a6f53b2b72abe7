//! Trying a subject's key on what an event holds, for who verifies a store: a wrong one stops every read of its events.

use base64::prelude::{BASE64_STANDARD, Engine};
use umbel_core::{EventId, Payload};

use super::{
    Part, SEALED_BYTES,
    cipher::{Cipher, Closed, Place},
    sealed_part,
};

/// What is wrong with a subject's key, or with the first sealed value of one of its events; `None` when that opens, or nothing is sealed.
pub(crate) fn tried(event: EventId, data: &Payload, key: &[u8]) -> Option<String> {
    let sealed = match sealed_part(data)? {
        Part::Values(json, values) => {
            let value = json.as_str().get(values.first()?.value.clone()).unwrap_or_default();
            BASE64_STANDARD.decode(value.trim_matches('"')).ok()
        }
        Part::All(bytes) => bytes.get(SEALED_BYTES.len()..).map(<[u8]>::to_vec),
    };
    let Ok(key) = <&[u8; 32]>::try_from(key) else { return Some(of_another_length(key.len())) };
    let opened = sealed.ok_or(Closed::Damaged);
    let opened = opened.and_then(|sealed| Cipher::new(key).open(Place { event, number: 0 }, &sealed));
    Some(match opened.err()? {
        Closed::OtherKey => {
            "which its key does not open: that is another one than the data was sealed with".into()
        }
        Closed::Damaged => "which was changed or put there: it does not open".into(),
    })
}

fn of_another_length(bytes: usize) -> String {
    format!("whose key has {bytes} bytes instead of 32")
}

#[cfg(test)]
mod tests {
    use umbel_core::Json;
    use uuid::Uuid;

    use super::{super::sealed, *};
    use crate::vault::text::marked;

    #[test]
    fn a_key_is_tried_on_the_first_sealed_value() {
        let (event, key, json) =
            (EventId(Uuid::from_u128(1)), [7; 32], Json::from_store(r#"{"n":{"$personal":"Ada"},"m":1}"#));
        let values = marked(json.as_str());
        for part in [Part::Values(json, values), Part::All(b"Ada".to_vec().into())] {
            let data = sealed(event, &part, &Cipher::new(&key)).unwrap();
            let told = |event, key: &[u8]| tried(event, &data, key).unwrap_or_default();
            assert_eq!(told(event, &key), "");
            assert!(told(event, &[8; 32]).contains("another one than"));
            assert!(told(event, &[7; 31]).contains("31 bytes instead of 32"));
            assert!(told(EventId(Uuid::from_u128(2)), &key).contains("was changed or put there"));
        }
        assert_eq!(tried(event, &Json::from_store("{}").into(), &[8; 32]), None, "nothing is sealed");
    }
}
