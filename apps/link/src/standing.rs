//! How the contact to each other process stands, and which of its changes are news. Pure, but for the log line that each of them is.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use umbel_bus::{Contact, Peer, Reached};
use umbel_core::subscription::NodeId;

/// Why another process is not reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmet {
    pub(crate) reason: String,
    /// Whether that stays so until somebody changes something.
    pub(crate) lasting: bool,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Whether it was given up in order, as one that was idle is, or the one to a process that stops.
    pub(crate) in_order: bool,
    pub(crate) reason: String,
}

/// The contacts to all that were tried.
pub(crate) struct Standings {
    /// This process.
    here: NodeId,
    known: Mutex<HashMap<NodeId, (Peer, Standing)>>,
}

/// The contact to one.
#[derive(Debug, Default)]
struct Standing {
    contact: Contact,
    /// Counts its connections.
    connections: u64,
}

/// A change that somebody should hear of.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Connected,
    Back {
        after: Duration,
        missed: u64,
    },
    /// It is away, or refused.
    Unmet(Unmet),
    /// The store tells of it no more.
    Gone {
        was_reached: bool,
        missed: u64,
    },
}

impl Unmet {
    /// Something that passes.
    pub(crate) fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), lasting: false }
    }
}

impl Standing {
    fn enter(&mut self, reached: Reached, now: Instant) -> Option<Instant> {
        self.contact.reached = reached;
        self.contact.since.replace(now)
    }

    fn connected(&mut self, now: Instant) -> Option<News> {
        self.connections += 1;
        let before = self.contact.reached;
        let since = self.enter(Reached::Connected, now);
        let missed = std::mem::take(&mut self.contact.missed);
        match before {
            Reached::Untried => Some(News::Connected),
            Reached::Connected | Reached::Idle => None,
            Reached::Away | Reached::Refused => {
                let after = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
                Some(News::Back { after, missed })
            }
        }
    }

    fn unmet(&mut self, why: &Unmet, now: Instant) -> Option<News> {
        self.contact.last_error = Some(why.reason.clone());
        let reached = if why.lasting { Reached::Refused } else { Reached::Away };
        if self.contact.reached == reached {
            return None;
        }
        self.enter(reached, now);
        Some(News::Unmet(why.clone()))
    }

    /// The connection of this number has ended.
    fn ended(&mut self, connection: u64, end: &End, now: Instant) -> Option<News> {
        if connection != self.connections || self.contact.reached != Reached::Connected {
            return None;
        }
        if end.in_order {
            self.enter(Reached::Idle, now);
            return None;
        }
        self.unmet(&Unmet::passing(format!("the connection ended: {}", end.reason)), now)
    }
}

impl Standings {
    pub(crate) fn new(here: NodeId) -> Self {
        Self { here, known: Mutex::default() }
    }

    /// How it stands with this one.
    pub(crate) fn of(&self, node: NodeId) -> Contact {
        self.known().get(&node).map(|(_, standing)| standing.contact.clone()).unwrap_or_default()
    }

    /// It is connected; the number of that connection.
    pub(crate) fn connected(&self, to: &Peer) -> u64 {
        let mut number = 0;
        self.change(to, |standing| {
            let news = standing.connected(Instant::now());
            number = standing.connections;
            news
        });
        number
    }

    pub(crate) fn unmet(&self, to: &Peer, why: &Unmet) {
        self.change(to, |standing| standing.unmet(why, Instant::now()));
    }

    pub(crate) fn ended(&self, to: &Peer, connection: u64, end: &End) {
        self.change(to, |standing| standing.ended(connection, end, Instant::now()));
    }

    /// A message did not get there.
    pub(crate) fn missed(&self, to: &Peer) {
        self.change(to, |standing| {
            standing.contact.missed += 1;
            None
        });
    }

    /// Forgets those that are not among these.
    pub(crate) fn forget_but(&self, nodes: &[NodeId]) {
        let mut known = self.known();
        let gone: Vec<_> = known.extract_if(|node, _| !nodes.contains(node)).collect();
        drop(known);
        for (_, (peer, standing)) in gone {
            let Contact { reached, missed, .. } = standing.contact;
            self.tell(&peer, &News::Gone { was_reached: reached.is_reached(), missed });
        }
    }

    pub(crate) fn forget_all(&self) {
        self.known().clear();
    }

    fn change(&self, to: &Peer, change: impl FnOnce(&mut Standing) -> Option<News>) {
        let mut known = self.known();
        let (_, standing) = known.entry(to.node).or_insert_with(|| (to.clone(), Standing::default()));
        let news = change(standing);
        drop(known);
        if let Some(news) = news {
            self.tell(to, &news);
        }
    }

    /// Once for each change, however many messages there are meanwhile.
    fn tell(&self, peer: &Peer, news: &News) {
        let (here, process, address) = (self.here.0, peer.node.0, &peer.address);
        match news {
            News::Connected => tracing::info!(%process, %address, "connected to another process"),
            News::Back { after, missed } => tracing::info!(
                %process, %address, ?after, missed, "another process is reached again; missed are the messages that were not"
            ),
            News::Unmet(Unmet { reason, lasting: false }) => tracing::warn!(
                %process, %address, reason, "another process is not reached; what it alone answers is not available until it is"
            ),
            News::Unmet(Unmet { reason, lasting: true }) => tracing::error!(
                this_process = %here, %process, %address, reason,
                "this process and another one of its store do not talk to each other; nothing is sent to it until that is changed"
            ),
            News::Gone { was_reached: true, .. } => tracing::warn!(
                %process, %address, "another process is gone; what it alone answered is not available until one answers it"
            ),
            // That it is away was told.
            News::Gone { was_reached: false, missed } => tracing::info!(
                %process, %address, missed, "another process is gone that was not reached; missed are the messages that were not"
            ),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<NodeId, (Peer, Standing)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LK-18: a change is news once, and what did not get there meanwhile is counted.
    #[test]
    fn changes_are_told_once() {
        let (mut standing, begin) = (Standing::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let (away, refused) =
            (Unmet::passing("nobody listens"), Unmet { reason: "another secret".into(), lasting: true });
        assert_eq!(standing.connected(at(0)), Some(News::Connected));
        assert_eq!(standing.unmet(&away, at(1)), Some(News::Unmet(away.clone())));
        assert_eq!(standing.unmet(&Unmet::passing("no route"), at(2)), None);
        standing.contact.missed += 3;
        assert_eq!(standing.contact.since, Some(at(1)), "since it is away, not since it was tried");
        assert_eq!(standing.contact.last_error.as_deref(), Some("no route"));
        let back = News::Back { after: Duration::from_secs(4), missed: 3 };
        assert_eq!(standing.connected(at(5)), Some(back));
        assert_eq!((standing.contact.missed, standing.contact.last_error.is_some()), (0, true));
        assert_eq!(standing.unmet(&refused, at(6)), Some(News::Unmet(refused.clone())));
        assert_eq!(standing.unmet(&refused, at(7)), None);
        assert_eq!(standing.contact.reached, Reached::Refused);
    }

    /// LK-14: a connection that ends in order leaves a process that is reached; one that breaks does not, unless there is another by then.
    #[test]
    fn the_end_of_a_connection_tells_whether_it_is_reached() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        let end = |in_order| End { in_order, reason: "so".into() };
        standing.connected(now);
        assert_eq!(standing.ended(1, &end(true), now), None);
        assert_eq!(standing.contact.reached, Reached::Idle);
        assert_eq!(standing.connected(now), None);
        assert_eq!(standing.ended(1, &end(false), now), None, "it is the other one that is in use");
        assert!(matches!(standing.ended(2, &end(false), now), Some(News::Unmet(_))));
        assert_eq!(standing.contact.reached, Reached::Away);
    }
}
