//! Who a request comes from.
//!
//! Routes that need somebody take [`CurrentUser`] *before* [`Body`](crate::body::Body): extractors are asked in
//! order and a missing token is answered at once, so nobody learns anything about a body without a token.

use std::{
    future::{Ready, ready},
    net::{IpAddr, Ipv4Addr},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use umbel_bus::edge;
use uuid::Uuid;

use crate::{error::ApiError, state::State};

/// The user whose token the request carries. Without a valid one the request ends here.
#[derive(Clone, Debug)]
pub(crate) struct CurrentUser {
    pub(crate) id: Uuid,
    /// As it was sent: it stays the same until the user logs in again.
    pub(crate) token: String,
}

/// The user whose token the request carries, or nobody. An invalid or expired token counts as nobody: browser
/// clients send what they have, and would take a refusal of a public page for a log-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Viewer(pub(crate) Option<Uuid>);

/// Where the request comes from: who connects, or whom a proxy before us speaks for. Of a list the last counts: the ones
/// before it are what the client itself may have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl FromRequest for ClientAddress {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(client_address(request))
    }
}

impl FromRequest for CurrentUser {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(current_user(request))
    }
}

impl FromRequest for Viewer {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(current_user(request).ok().map(|user| user.id))))
    }
}

fn current_user(request: &HttpRequest) -> Result<CurrentUser, ApiError> {
    let state = request.app_data::<web::Data<State>>().ok_or_else(ApiError::internal)?;
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(token_of).ok_or_else(ApiError::missing_token)?;
    let id = state.tokens.verify(token, edge::now())?;
    Ok(CurrentUser { id, token: token.to_owned() })
}

fn client_address(request: &HttpRequest) -> Result<ClientAddress, ApiError> {
    let state = request.app_data::<web::Data<State>>().ok_or_else(ApiError::internal)?;
    let header = state.client_address_header.as_ref();
    let named =
        header.and_then(|name| request.headers().get_all(name).last()?.to_str().ok()).and_then(last_address);
    let peer = || request.peer_addr().map(|peer| peer.ip());
    Ok(ClientAddress(named.or_else(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
}

/// The last of the addresses in a header.
fn last_address(header: &str) -> Option<IpAddr> {
    header.rsplit(',').next()?.trim().parse().ok()
}

/// The token in an `Authorization` header. Another scheme counts as none.
fn token_of(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let ours = scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer");
    Some(token.trim()).filter(|token| ours && !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_address_is_what_the_proxy_says() {
        let address = |text: &str| Some(text.parse().unwrap());
        assert_eq!(last_address("192.0.2.9"), address("192.0.2.9"));
        assert_eq!(last_address("10.0.0.1, 2001:db8::1"), address("2001:db8::1"));
        assert_eq!((last_address("10.0.0.1, unknown"), last_address("")), (None, None));
    }

    #[test]
    fn two_schemes_carry_a_token() {
        for (header, token) in [
            ("Token abc", Some("abc")),
            ("Bearer abc", Some("abc")),
            ("token  abc ", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
            ("Token ", None),
            ("", None),
        ] {
            assert_eq!(token_of(header), token, "{header:?}");
        }
    }
}
