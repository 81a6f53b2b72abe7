//! The other processes as they are seen from here: what each is counted on for, and how the contact to it stands.

use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};

use crate::{
    elsewhere::{Kind, Peer},
    handle::Bus,
};

/// Whether another process is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Nobody has tried yet.
    #[default]
    Untried,
    /// There is a connection.
    Connected,
    /// There was one, and it was closed as nothing was asked; it is made anew when something is.
    Idle,
    /// It cannot be reached. That is tried again and again.
    Away,
    /// It is there, and the two do not talk to each other until somebody changes something: as when their secrets differ.
    Refused,
}

/// How the contact to another process stands, as the carrier tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// Whether it is reached.
    pub reached: Reached,
    /// Since when; `None` when nobody has tried.
    pub since: Option<Instant>,
    /// Why it was not reached, the last time that it was not.
    pub last_error: Option<String>,
    /// Messages that did not get there since it is not reached.
    pub missed: u64,
}

/// Another process that takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// Which, and where.
    pub peer: Peer,
    /// How the contact to it stands.
    pub contact: Contact,
    /// Names of the messages that it answers and nobody here does, in order.
    pub counted_on: Vec<String>,
}

/// Where a message is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In this process.
    Here,
    /// In another one, which is reached.
    There,
    /// In others, none of which is reached.
    Unreached,
    /// Nowhere, as far as it is known.
    Nowhere,
}

impl Reached {
    /// Whether a message would get there, as far as it is known.
    #[must_use]
    pub const fn is_reached(self) -> bool {
        matches!(self, Self::Connected | Self::Idle)
    }

    /// As people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untried => "untried",
            Self::Connected => "connected",
            Self::Idle => "idle",
            Self::Away => "away",
            Self::Refused => "refused",
        }
    }
}

impl Bus {
    /// The processes on the same store that take messages, as far as they are known, in the order of their addresses.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        let (routes, carrier) = (self.routes(), self.carrier());
        let mut views: Vec<_> = self
            .elsewhere()
            .known()
            .iter()
            .map(|known| PeerView {
                peer: known.peer.clone(),
                contact: carrier.as_ref().map(|carrier| carrier.contact(known.peer.node)).unwrap_or_default(),
                counted_on: known.beyond(&routes),
            })
            .collect();
        views.sort_by(|a, b| (&a.peer.address, a.peer.node.0).cmp(&(&b.peer.address, b.peer.node.0)));
        views
    }

    /// Changes when another set of processes takes messages, or they answer others.
    #[must_use]
    pub fn peers_changed(&self) -> watch::Receiver<u64> {
        self.elsewhere().changed()
    }

    /// Where messages of this name are answered, as far as it is known. An owner here counts also while it restarts.
    #[must_use]
    pub fn whereabouts(&self, kind: Kind, name: &str) -> Whereabouts {
        if self.routes().answers(kind, name) {
            return Whereabouts::Here;
        }
        let Some(carrier) = self.carrier() else { return Whereabouts::Nowhere };
        let peers = self.elsewhere().who_answers(kind, name);
        if peers.is_empty() {
            Whereabouts::Nowhere
        } else if peers.iter().any(|peer| carrier.contact(peer.node).reached.is_reached()) {
            Whereabouts::There
        } else {
            Whereabouts::Unreached
        }
    }
}
