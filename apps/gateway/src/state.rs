//! What every request handler holds.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::http::header::HeaderName;
use umbel_bus::Bus;
use uuid::Uuid;

use crate::{
    edge::Cors, guard::LoginGuard, health::Readiness, settings::GatewaySettings, settings::Secret,
    token::Tokens,
};

/// Shared by the workers' threads; cheap to clone.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) bus: Bus,
    pub(crate) tokens: Tokens,
    /// What makes a command's id out of an idempotency key and no guess. All nodes that share the secret for it share it.
    pub(crate) pepper: Uuid,
    pub(crate) readiness: Readiness,
    /// Whether it is ready while somebody is missing who answers the API's messages.
    pub(crate) ready_in_part: bool,
    pub(crate) cors: Cors,
    pub(crate) body_limit_bytes: usize,
    pub(crate) request_deadline: Duration,
    /// Counts for all workers together.
    pub(crate) logins: Arc<LoginGuard>,
    /// Where a proxy before us says whom it speaks for.
    pub(crate) client_address_header: Option<HeaderName>,
    /// Messages that turned out to have nobody here to answer them.
    unanswered: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl State {
    pub(crate) fn new(settings: &GatewaySettings, secret: &Secret, bus: Bus, readiness: Readiness) -> Self {
        Self {
            bus,
            tokens: Tokens::new(
                secret,
                &settings.jwt_secret_before,
                Duration::from_secs(settings.jwt_lifetime_s),
            ),
            pepper: pepper(settings, secret),
            readiness,
            ready_in_part: settings.ready_in_part,
            cors: Cors::new(&settings.cors_allowed_origins),
            body_limit_bytes: settings.body_limit_bytes,
            request_deadline: settings.request_deadline(),
            logins: Arc::new(LoginGuard::new(settings)),
            client_address_header: settings.client_address_header.clone(),
            unanswered: Arc::default(),
        }
    }

    /// Notes that nobody here answers messages of this name; says whether that is news. There are only as many names
    /// as messages that the routes send.
    pub(crate) fn note_unanswered(&self, message: &'static str) -> bool {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).insert(message)
    }
}

fn pepper(settings: &GatewaySettings, jwt_secret: &Secret) -> Uuid {
    let own = &settings.idempotency_secret;
    let secret = if own.expose().is_empty() { jwt_secret } else { own };
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("umbel/pepper/{}", secret.expose()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idempotency key is good for as long as the secret for it, whatever becomes of that of the tokens.
    #[test]
    fn keys_outlive_the_secret_of_the_tokens() {
        let with = |own: &str, jwt: &str| {
            let settings =
                GatewaySettings { idempotency_secret: Secret::new(own), ..crate::tests::settings() };
            pepper(&settings, &Secret::new(jwt))
        };
        assert_eq!(with("own", "one"), with("own", "two"));
        assert_ne!(with("own", "one"), with("other", "one"));
        assert_ne!(with("", "one"), with("", "two"));
        assert_eq!(with("", "one"), with("one", "two"), "what was the secret of both may become its own");
    }
}
