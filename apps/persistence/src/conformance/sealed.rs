//! Events with personal data, sealed as the store seals them.

use std::sync::Arc;

use umbel_bus::edge;
use umbel_core::{ExpectedVersion, Json, Payload, Subject};
use umbel_testkit::conformance::Events;

use crate::{Adapter, vault::Vault};

/// Appends two events of ada, in JSON, and two of bob, in bytes, to the stream `s-1`.
pub(crate) async fn fill(store: Arc<dyn Adapter>, events: &Events) {
    let mut append = events.append("s-1", ExpectedVersion::Any, 4);
    for (number, event) in append.streams[0].events.iter_mut().enumerate() {
        let (subject, data): (_, Payload) = match number % 2 {
            0 => ("ada", Json::parse(r#"{"plan":1,"name":{"$personal":"Ada"}}"#).unwrap().into()),
            _ => ("bob", Payload::Binary(b"Bob".to_vec().into())),
        };
        event.subject = Some(Subject::new(subject).unwrap());
        event.data = data;
    }
    Vault::new(store).append(vec![append], edge::now()).await.remove(0).unwrap();
}
