//! What every request handler holds.

use std::time::Duration;

use umbel_bus::Bus;

use crate::{edge::Cors, health::Readiness, settings::GatewaySettings, settings::Secret, token::Tokens};

/// Shared by the workers' threads; cheap to clone.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) bus: Bus,
    pub(crate) tokens: Tokens,
    pub(crate) readiness: Readiness,
    pub(crate) cors: Cors,
    pub(crate) body_limit_bytes: usize,
    pub(crate) request_deadline: Duration,
}

impl State {
    pub(crate) fn new(settings: &GatewaySettings, secret: &Secret, bus: Bus, readiness: Readiness) -> Self {
        Self {
            bus,
            tokens: Tokens::new(secret, Duration::from_secs(settings.jwt_lifetime_s)),
            readiness,
            cors: Cors::new(&settings.cors_allowed_origins),
            body_limit_bytes: settings.body_limit_bytes,
            request_deadline: settings.request_deadline(),
        }
    }
}
