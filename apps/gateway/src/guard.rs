//! Guessing passwords: how often log-ins may fail, for an account from an address, and from an address for all accounts.
//!
//! Here and not in accounts: only the gateway knows where a request comes from, and who is refused here costs no hash. Not
//! for an account alone: then anybody could lock out anybody. In memory and not in the log: a guess is no fact worth
//! keeping, and a node that forgets or does not know what another one counted lets through a few more guesses, no flood.
//!
//! Promises: an attempt whose password is being looked at takes the place of a failure meanwhile, so many at once are not more than one
//! after the other; who finds no place waits a little. One that succeeds, fails for other reasons or is given up counts nothing. Memory
//! is bounded, whoever tries whatever names.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::settings::GatewaySettings;

/// How long an attempt waits for others that are under way.
const PATIENCE: Duration = Duration::from_secs(5);
/// When to try again if that was not long enough.
const SOON: Duration = Duration::from_secs(1);

/// Counts failed log-ins.
#[derive(Debug)]
pub(crate) struct LoginGuard {
    account_max: u32,
    address_max: u32,
    within: Duration,
    kept_max: usize,
    hashes: RandomState,
    counts: Mutex<Counts>,
    /// Tells those who wait that an attempt has ended.
    ended: Notify,
}

/// By a hash of what is counted: entries are of one size, however long a name is, and hold nobody's address.
#[derive(Debug, Default)]
struct Counts {
    windows: HashMap<u64, Window>,
    /// Attempts whose password is being looked at; as many as there are requests, at most.
    under_way: HashMap<u64, u32>,
}

/// An attempt under way. Dropped, it counts nothing.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    guard: &'a LoginGuard,
    account: u64,
    address: u64,
}

/// Why an attempt does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// Too many failed, and are forgotten after this time.
    Failed(Duration),
    /// As many are under way as may fail yet.
    Busy,
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
            counts: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Lets an attempt pass, once there is room for it, or says when to try again.
    pub(crate) async fn begin(&self, email: &str, address: IpAddr) -> Result<Attempt<'_>, Duration> {
        let passes = async {
            loop {
                // Listens before it looks, so that no end is missed.
                let ended = self.ended.notified();
                match self.try_begin(email, address, Instant::now()) {
                    Ok(attempt) => return Ok(attempt),
                    Err(Refused::Failed(wait)) => return Err(wait),
                    Err(Refused::Busy) => ended.await,
                }
            }
        };
        timeout(PATIENCE, passes).await.unwrap_or(Err(SOON))
    }

    fn try_begin(&self, email: &str, address: IpAddr, now: Instant) -> Result<Attempt<'_>, Refused> {
        let network = network(address);
        let account = self.hash((email.trim().to_lowercase(), network));
        let address = self.hash(network);
        let counted = [(account, self.account_max), (address, self.address_max)];
        let mut counts = self.counts();
        let mut is_busy = false;
        for (key, max) in counted.into_iter().filter(|(_, max)| *max > 0) {
            let window = counts.windows.get(&key).filter(|window| window.ends > now);
            let failures = window.map_or(0, |window| window.failures);
            if let Some(window) = window.filter(|_| failures >= max) {
                return Err(Refused::Failed(window.ends - now));
            }
            let under_way = counts.under_way.get(&key).copied().unwrap_or_default();
            is_busy |= failures.saturating_add(under_way) >= max;
        }
        if is_busy {
            return Err(Refused::Busy);
        }
        for key in [account, address] {
            *counts.under_way.entry(key).or_default() += 1;
        }
        Ok(Attempt { guard: self, account, address })
    }

    fn hash(&self, what: impl Hash) -> u64 {
        self.hashes.hash_one(what)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The password was wrong.
    pub(crate) fn failed(self, now: Instant) {
        let LoginGuard { account_max, address_max, within, kept_max, .. } = *self.guard;
        let mut counts = self.guard.counts();
        for (key, max) in [(self.account, account_max), (self.address, address_max)] {
            if max > 0 {
                count(&mut counts.windows, key, Window { failures: 0, ends: now + within }, (now, kept_max));
            }
        }
    }

    /// The password was right: what failed before is forgiven to the account.
    pub(crate) fn succeeded(self) {
        self.guard.counts().windows.remove(&self.account);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut counts = self.guard.counts();
        for key in [self.account, self.address] {
            if let Some(under_way) = counts.under_way.get_mut(&key) {
                *under_way = under_way.saturating_sub(1);
                if *under_way == 0 {
                    counts.under_way.remove(&key);
                }
            }
        }
        drop(counts);
        self.guard.ended.notify_waiters();
    }
}

fn count(windows: &mut HashMap<u64, Window>, key: u64, fresh: Window, (now, kept_max): (Instant, usize)) {
    if !windows.contains_key(&key) && windows.len() >= kept_max {
        make_room(windows, now);
    }
    let window = windows.entry(key).or_insert(fresh);
    if window.ends <= now {
        *window = fresh;
    }
    window.failures = window.failures.saturating_add(1);
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

/// Where an address belongs: whoever has one of IPv6 has the 2^64 around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        pin::{Pin, pin},
        task::Poll,
    };

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

    /// Whether an attempt passes that fails.
    fn passes(guard: &LoginGuard, email: &str, address: IpAddr, now: Instant) -> bool {
        guard.try_begin(email, address, now).map(|attempt| attempt.failed(now)).is_ok()
    }

    fn is_empty(guard: &LoginGuard) -> bool {
        let counts = guard.counts();
        counts.windows.is_empty() && counts.under_way.is_empty()
    }

    /// Whether it is not over yet.
    async fn waits<T>(attempt: &mut (impl Future<Output = T> + Unpin)) -> bool {
        poll_fn(|context| Poll::Ready(Pin::new(&mut *attempt).poll(context).is_pending())).await
    }

    #[test]
    fn an_account_is_guessed_at_a_few_times_from_one_address() {
        let (guard, now) = (guard(2, 0, 100), Instant::now());
        assert!(passes(&guard, "ada@x.org", HERE, now) && passes(&guard, " ADA@x.org", HERE, now));
        let second = Duration::from_secs(1);
        let refused = guard.try_begin("ada@x.org", HERE, now + second).unwrap_err();
        assert_eq!(refused, Refused::Failed(Duration::from_secs(59)));
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
        let begin = |email| guard.try_begin(email, HERE, now);
        for _ in 0..10 {
            begin("ada@x.org").unwrap().succeeded();
            drop(begin("bob@x.org").unwrap());
        }
        assert!(is_empty(&guard));
        assert!(passes(&guard, "ada@x.org", HERE, now));
        begin("ada@x.org").unwrap().succeeded();
        assert!(passes(&guard, "ada@x.org", HERE, now) && passes(&guard, "ada@x.org", HERE, now));
        assert!(!passes(&guard, "bob@x.org", HERE, now), "an own account does not clear the address");
    }

    /// Right passwords at the same time are no failures; wrong ones are no more than one after the other.
    #[tokio::test]
    async fn attempts_at_once_wait_for_each_other() {
        let guard = guard(2, 0, 100);
        let begin = || guard.begin("ada@x.org", HERE);
        let (first, second) = (begin().await.unwrap(), begin().await.unwrap());
        assert_eq!(guard.try_begin("ada@x.org", HERE, Instant::now()).unwrap_err(), Refused::Busy);
        let mut third = pin!(begin());
        assert!(waits(&mut third).await);
        first.succeeded();
        let third = third.await.unwrap();
        let mut fourth = pin!(begin());
        assert!(waits(&mut fourth).await);
        second.failed(Instant::now());
        assert!(waits(&mut fourth).await, "one is under way, and one has failed");
        third.failed(Instant::now());
        assert!(fourth.await.unwrap_err() > SOON, "as many have failed as may");
    }

    #[test]
    fn memory_is_bounded_and_limits_can_be_off() {
        let (guard, now) = (guard(1, 0, 10), Instant::now());
        for number in 0..1000 {
            let name = format!("{number}@x.org");
            assert!(passes(&guard, &name, HERE, now) && !passes(&guard, &name, HERE, now));
        }
        assert_eq!(guard.counts().windows.len(), 10);
        let off = self::guard(0, 0, 10);
        assert!((0..100).all(|_| passes(&off, "ada@x.org", HERE, now)) && is_empty(&off));
    }
}
