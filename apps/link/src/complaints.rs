//! What was complained of about those that connect, so that one that comes again and again is not told of each time. Pure.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long the same of the same address is no news.
const NO_NEWS: Duration = Duration::from_secs(600);

/// What is remembered at most; beyond that all is forgotten.
const MOST: usize = 256;

/// By where they come from and what was wrong.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<HashMap<(IpAddr, String), Instant>>);

impl Complaints {
    /// Whether this has not been said of that address lately.
    pub(crate) fn is_news(&self, from: IpAddr, what: &str, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, at| now.saturating_duration_since(*at) < NO_NEWS);
        let key = (from, what.to_owned());
        if said.contains_key(&key) {
            return false;
        }
        if said.len() >= MOST {
            said.clear();
        }
        said.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LK-18: what is wrong with one that comes again and again is said once in a while; of another one, or otherwise wrong, at once.
    #[test]
    fn the_same_is_said_once_in_a_while() {
        let (complaints, now) = (Complaints::default(), Instant::now());
        let [one, other] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        assert!(complaints.is_news(one, "secret", now));
        assert!(!complaints.is_news(one, "secret", now + NO_NEWS / 2));
        assert!(complaints.is_news(one, "version", now) && complaints.is_news(other, "secret", now));
        assert!(complaints.is_news(one, "secret", now + NO_NEWS));
        for number in 0..2 * MOST {
            complaints.is_news(one, &number.to_string(), now);
        }
        assert!(complaints.0.lock().unwrap().len() <= MOST);
    }
}
