//! Connections with certificates. Those beside this file are for 127.0.0.1, and good for a hundred years.

use serde_json::json;
use umbel_bus::AskError;

use super::world::*;
use crate::{LinkSettings, worker};

fn file(name: &str) -> String {
    format!("{}/src/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn with_certificates(authority: &str) -> LinkSettings {
    settings(&[
        ("tls_certificate", json!(file("certificate.pem"))),
        ("tls_key", json!(file("key.pem"))),
        ("tls_authority", json!(file(authority))),
    ])
}

/// LK-13: processes with certificates of one authority talk to each other; what travels is none of what they say.
#[test]
fn what_travels_is_encrypted() {
    run(async {
        let there = Side::with(with_certificates("authority.pem")).await;
        let here = Side::with(with_certificates("authority.pem")).await;
        there.own("a name that can be found in clear text", None).await;
        let wire = Wire::to(&there.bus.process()).await;
        here.knows(&[at(&there.bus.process(), &wire.address)]);
        let found = |wire: &Wire, text: &[u8]| {
            wire.seen.lock().unwrap().windows(text.len()).any(|window| window == text)
        };
        assert_eq!(here.ask(Question::Who).await.unwrap(), "a name that can be found in clear text");
        assert!(!found(&wire, b"clear text") && !wire.seen.lock().unwrap().is_empty());

        let (open, open_there) = (Side::new().await, Side::new().await);
        open_there.own("a name that can be found in clear text", None).await;
        let wire = Wire::to(&open_there.bus.process()).await;
        open.knows(&[at(&open_there.bus.process(), &wire.address)]);
        assert!(open.ask(Question::Who).await.is_ok());
        assert!(found(&wire, b"clear text"), "this test would see it");
    });
}

/// LK-13: given a certificate of another authority on either side, or none, then no message is sent.
#[test]
fn nobody_without_a_certificate_gets_a_message() {
    run(async {
        let (ours, others) =
            (|| with_certificates("authority.pem"), || with_certificates("other_authority.pem"));
        let none = || settings(&[]);
        for (here, there) in [(ours(), others()), (others(), ours()), (ours(), none()), (none(), ours())] {
            let (here, there) = (Side::with(here).await, Side::with(there).await);
            let seen = there.own("there", None).await;
            here.knows(&[there.bus.process()]);
            let answer = here.ask(Question::Who).await;
            assert!(
                matches!(answer, Err(AskError::Unavailable { .. } | AskError::NoHandler { .. })),
                "{answer:?}"
            );
            assert_eq!(seen.questions.load(std::sync::atomic::Ordering::SeqCst), 0);
        }
    });
}

/// LK-09: certificates that cannot be used are refused when the umbrella is put together; the message names the setting.
#[test]
fn certificates_that_cannot_be_used_are_refused() {
    let bus = umbel_bus::Bus::new(umbel_bus::BusSettings::default());
    bus.announce_sharing(true);
    for (key, value) in [
        ("tls_key", String::new()),
        ("tls_key", file("authority.pem")),
        ("tls_certificate", file("key.pem")),
        ("tls_authority", file("not_there.pem")),
    ] {
        let mut settings = with_certificates("authority.pem");
        match key {
            "tls_key" => settings.tls_key = value,
            "tls_certificate" => settings.tls_certificate = value,
            _ => settings.tls_authority = value,
        }
        let error = format!("{:#}", worker(settings, &bus).map(|_| ()).unwrap_err());
        assert!(error.contains("[link]") && error.contains(key), "{error}");
    }
}
