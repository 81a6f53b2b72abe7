//! Tokens: whom a request comes from, signed so that nobody else can say so.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use umbel_core::Timestamp;
use uuid::Uuid;

use crate::settings::Secret;

/// Issues and verifies tokens. A token holds the user's id only, so it outlives a change of name or address.
#[derive(Clone)]
pub(crate) struct Tokens {
    encoding: EncodingKey,
    /// The key that signs now, and the one before it while its tokens are still good.
    decoding: Vec<DecodingKey>,
    validation: Validation,
    lifetime: Duration,
}

/// Why a token stands for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// Not made by us, or not for this.
    Invalid,
    /// Made by us, too long ago.
    Expired,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    /// Seconds since 1970.
    iat: i64,
    /// Seconds since 1970.
    exp: i64,
}

impl Tokens {
    /// `before` is what signed until now, or empty.
    pub(crate) fn new(secret: &Secret, before: &Secret, lifetime: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Checked here against the moment that is handed in, not by the library against a clock of its own.
        validation.validate_exp = false;
        Self {
            encoding: EncodingKey::from_secret(secret.expose().as_bytes()),
            decoding: [secret, before]
                .into_iter()
                .filter(|secret| !secret.expose().is_empty())
                .map(|secret| DecodingKey::from_secret(secret.expose().as_bytes()))
                .collect(),
            validation,
            lifetime,
        }
    }

    /// A token for the user, valid from now on.
    ///
    /// # Errors
    /// Never for a key that signs.
    pub(crate) fn issue(&self, user_id: Uuid, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims { sub: user_id, iat: seconds(now), exp: seconds(now.plus(self.lifetime)) };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// Whom the token stands for.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Uuid, TokenError> {
        let decode = |key| jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok();
        let claims = self.decoding.iter().find_map(decode).ok_or(TokenError::Invalid)?.claims;
        if claims.exp > seconds(now) { Ok(claims.sub) } else { Err(TokenError::Expired) }
    }
}

fn seconds(moment: Timestamp) -> i64 {
    moment.as_micros().div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_769_860_800_000_000);
    const ID: Uuid = Uuid::from_u128(7);
    const HOUR: Duration = Duration::from_secs(3600);

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&Secret::new(secret), &Secret::default(), HOUR)
    }

    #[test]
    fn a_token_stands_for_its_user_until_it_expires() {
        let tokens = tokens("one");
        let token = tokens.issue(ID, NOW).unwrap();
        assert_eq!(tokens.verify(&token, NOW), Ok(ID));
        assert_eq!(tokens.verify(&token, NOW.plus(HOUR - Duration::from_secs(1))), Ok(ID));
        assert_eq!(tokens.verify(&token, NOW.plus(HOUR)), Err(TokenError::Expired));
    }

    #[test]
    fn a_new_secret_does_not_log_everybody_out() {
        let token = tokens("one").issue(ID, NOW).unwrap();
        let rotated = Tokens::new(&Secret::new("two"), &Secret::new("one"), HOUR);
        assert_eq!(rotated.verify(&token, NOW), Ok(ID));
        assert_eq!(rotated.verify(&token, NOW.plus(HOUR)), Err(TokenError::Expired));
        let fresh = rotated.issue(ID, NOW).unwrap();
        assert_eq!(tokens("two").verify(&fresh, NOW), Ok(ID), "the new one signs");
        assert_eq!(tokens("two").verify(&token, NOW), Err(TokenError::Invalid));
        assert_eq!(tokens("two").verify(&tokens("").issue(ID, NOW).unwrap(), NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn nobody_else_can_make_one() {
        let token = tokens("another").issue(ID, NOW).unwrap();
        assert_eq!(tokens("one").verify(&token, NOW), Err(TokenError::Invalid));
        assert_eq!(tokens("one").verify("nonsense", NOW), Err(TokenError::Invalid));
        // {"alg":"none"} . {"sub":"...","iat":0,"exp":9999999999} without a signature
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDciLCJpYXQiOjAsImV4cCI6OTk5OTk5OTk5OX0.";
        assert_eq!(tokens("one").verify(unsigned, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn another_algorithm_with_our_key_is_not_ours() {
        let claims = Claims { sub: ID, iat: 0, exp: i64::MAX };
        let key = EncodingKey::from_secret(b"one");
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &key).unwrap();
        assert_eq!(tokens("one").verify(&token, NOW), Err(TokenError::Invalid));
    }
}
