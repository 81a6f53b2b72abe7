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
    /// What makes the id of a command that holds a password out of an idempotency key and no guess. All nodes that share a secret share it.
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
            pepper: Uuid::new_v5(
                &Uuid::NAMESPACE_URL,
                format!("umbel/pepper/{}", secret.expose()).as_bytes(),
            ),
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
