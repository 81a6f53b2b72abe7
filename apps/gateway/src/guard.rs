//! Guessing passwords: how often log-ins may fail, for an account from an address, and from an address for all accounts.
//!
//! Here and not in accounts: only the gateway knows where a request comes from, and who is refused here costs no hash. Not
//! for an account alone: then anybody could lock out anybody. In memory and not in the log: a guess is no fact worth
//! keeping, and a node that forgets or does not know what another one counted lets through a few more guesses, no flood.
//!
//! Promises: an attempt counts before its password is looked at, so many at once are not more than one after the other;
//! one that succeeds, or fails for other reasons, counts nothing; memory is bounded, whoever tries whatever names.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::settings::GatewaySettings;

/// Counts failed log-ins.
#[derive(Debug)]
pub(crate) struct LoginGuard {
    account_max: u32,
    address_max: u32,
    within: Duration,
    kept_max: usize,
    hashes: RandomState,
    /// By a hash of what is counted: entries are of one size, however long a name is, and hold nobody's address.
    windows: Mutex<HashMap<u64, Window>>,
}

/// An attempt that counts as failed until [`LoginGuard::succeeded`] or [`LoginGuard::undone`] says otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    account: u64,
    address: u64,
}

/// What failed since the first failure, until they are all forgotten.
#[derive(Clone, Copy, Debug)]
struct Window {
    failures: u32,
    ends: Instant,
}

impl LoginGuard {
    pub(crate) fn new(settings: &GatewaySettings) -> Self {
        Self {
            account_max: settings.login_failures_max,
            address_max: settings.login_failures_per_address_max,
            within: Duration::from_secs(settings.login_failures_within_s),
            kept_max: settings.login_failures_kept_max,
            hashes: RandomState::new(),
            windows: Mutex::default(),
        }
    }

    /// Lets an attempt pass, or says when to try again.
    pub(crate) fn begin(&self, email: &str, address: IpAddr, now: Instant) -> Result<Attempt, Duration> {
        let network = network(address);
        let attempt = Attempt {
            account: self.hash((email.trim().to_lowercase(), network)),
            address: self.hash(network),
        };
        let counted = [(attempt.account, self.account_max), (attempt.address, self.address_max)];
        let mut windows = self.windows();
        for (key, max) in counted {
            let window = windows.get(&key).filter(|window| max > 0 && window.failures >= max);
            if let Some(wait) = window.and_then(|window| window.ends.checked_duration_since(now))
                && !wait.is_zero()
            {
                return Err(wait);
            }
        }
        for (key, _) in counted.into_iter().filter(|(_, max)| *max > 0) {
            self.count(&mut windows, key, now);
        }
        Ok(attempt)
    }

    /// The password was right: what failed before is forgiven to the account, and this attempt to the address.
    pub(crate) fn succeeded(&self, attempt: Attempt) {
        let mut windows = self.windows();
        windows.remove(&attempt.account);
        uncount(&mut windows, attempt.address);
    }

    /// No password was looked at.
    pub(crate) fn undone(&self, attempt: Attempt) {
        let mut windows = self.windows();
        uncount(&mut windows, attempt.account);
        uncount(&mut windows, attempt.address);
    }

    fn count(&self, windows: &mut HashMap<u64, Window>, key: u64, now: Instant) {
        let fresh = Window { failures: 0, ends: now + self.within };
        if !windows.contains_key(&key) && windows.len() >= self.kept_max {
            make_room(windows, now);
        }
        let window = windows.entry(key).or_insert(fresh);
        if window.ends <= now {
            *window = fresh;
        }
        window.failures = window.failures.saturating_add(1);
    }

    fn hash(&self, what: impl Hash) -> u64 {
        self.hashes.hash_one(what)
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<u64, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is over, or else what will be over first. It looks at all there is, which only failures can make it do.
fn make_room(windows: &mut HashMap<u64, Window>, now: Instant) {
    let before = windows.len();
    windows.retain(|_, window| window.ends > now);
    if windows.len() == before
        && let Some(key) = windows.iter().min_by_key(|(_, window)| window.ends).map(|(key, _)| *key)
    {
        windows.remove(&key);
    }
}

fn uncount(windows: &mut HashMap<u64, Window>, key: u64) {
    if let Some(window) = windows.get_mut(&key) {
        window.failures = window.failures.saturating_sub(1);
        if window.failures == 0 {
            windows.remove(&key);
        }
    }
}

/// Where an address belongs: whoever has one of IPv6 has the 2^64 around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::settings;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn guard(account: u32, address: u32, kept: usize) -> LoginGuard {
        LoginGuard::new(&GatewaySettings {
            login_failures_max: account,
            login_failures_per_address_max: address,
            login_failures_within_s: 60,
            login_failures_kept_max: kept,
            ..settings()
        })
    }

    fn passes(guard: &LoginGuard, email: &str, address: IpAddr, now: Instant) -> bool {
        guard.begin(email, address, now).is_ok()
    }

    #[test]
    fn an_account_is_guessed_at_a_few_times_from_one_address() {
        let (guard, now) = (guard(2, 0, 100), Instant::now());
        assert!(passes(&guard, "ada@x.org", HERE, now) && passes(&guard, " ADA@x.org", HERE, now));
        let second = Duration::from_secs(1);
        let wait = guard.begin("ada@x.org", HERE, now + second).unwrap_err();
        assert_eq!(wait, Duration::from_secs(59));
        assert!(passes(&guard, "bob@x.org", HERE, now), "another account");
        assert!(passes(&guard, "ada@x.org", THERE, now), "nobody is locked out by others");
        let over = now + Duration::from_secs(60);
        assert!(passes(&guard, "ada@x.org", HERE, over) && passes(&guard, "ada@x.org", HERE, over));
        assert!(!passes(&guard, "ada@x.org", HERE, over), "a new window has the same bound");
    }

    #[test]
    fn an_address_guesses_at_a_few_accounts() {
        let (guard, now) = (guard(0, 2, 100), Instant::now());
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(passes(&guard, "a", v6("2001:db8::1"), now) && passes(&guard, "b", v6("2001:db8::2"), now));
        assert!(!passes(&guard, "c", v6("2001:db8::3"), now));
        assert!(passes(&guard, "c", v6("2001:db8:0:1::3"), now));
        assert!(passes(&guard, "a", HERE, now) && passes(&guard, "b", v6("::ffff:192.0.2.1"), now));
        assert!(!passes(&guard, "c", HERE, now), "the two forms of an address are one");
    }

    #[test]
    fn what_succeeds_or_was_not_looked_at_counts_nothing() {
        let (guard, now) = (guard(2, 3, 100), Instant::now());
        for _ in 0..10 {
            guard.succeeded(guard.begin("ada@x.org", HERE, now).unwrap());
            guard.undone(guard.begin("bob@x.org", HERE, now).unwrap());
        }
        assert!(guard.windows().is_empty());
        assert!(passes(&guard, "ada@x.org", HERE, now));
        guard.succeeded(guard.begin("ada@x.org", HERE, now).unwrap());
        assert!(passes(&guard, "ada@x.org", HERE, now) && passes(&guard, "ada@x.org", HERE, now));
        assert!(!passes(&guard, "bob@x.org", HERE, now), "an own account does not clear the address");
    }

    #[test]
    fn memory_is_bounded_and_limits_can_be_off() {
        let (guard, now) = (guard(1, 0, 10), Instant::now());
        for number in 0..1000 {
            let name = format!("{number}@x.org");
            assert!(passes(&guard, &name, HERE, now) && !passes(&guard, &name, HERE, now));
        }
        assert_eq!(guard.windows().len(), 10);
        let off = self::guard(0, 0, 10);
        assert!((0..100).all(|_| passes(&off, "ada@x.org", HERE, now)) && off.windows().is_empty());
    }
}
