//! How large the world of a run is, and what goes wrong in it how often. All of it follows from the seed.

use umbel_core::{
    StreamName,
    subscription::{Millis, Options, SubscriptionName},
};
use umbel_supervision::{Backoff, Intensity, Strategy};

use crate::random::Random;

/// The world of a run.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) nodes: usize,
    pub(crate) streams: Vec<StreamName>,
    /// Tags that events may have and conditions are about. With few of them there are many races.
    pub(crate) tags: u32,
    /// Of each subscription.
    pub(crate) options: Vec<Options>,
    /// Events that a consumer holds at a time.
    pub(crate) capacity: u32,
    /// Appends in a group.
    pub(crate) group_max: usize,
    /// Appends that wait for a writer.
    pub(crate) queue_max: usize,
    /// For how long a writer tries a group whose outcome it does not know.
    pub(crate) outage_limit: Millis,
    /// How long clients wait for an answer.
    pub(crate) patience: Millis,
    /// How often clients begin something.
    pub(crate) begin_every: Millis,
    /// How often nodes look how far the log goes, whether or not it was announced.
    pub(crate) poll_every: Millis,
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Intensity,
    pub(crate) backoff: Backoff,
    /// How many things happen before faults cease.
    pub(crate) steps: u32,
    pub(crate) faults: Faults,
}

/// What goes wrong, so often in a thousand times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A request never reaches the store.
    pub(crate) before_commit: u32,
    /// A request is carried out, and its answer is lost.
    pub(crate) after_commit: u32,
    /// A request takes longer than leases last.
    pub(crate) long_request: u32,
    /// An announcement is lost.
    pub(crate) lost: u32,
    /// An announcement comes twice.
    pub(crate) doubled: u32,
    /// An announcement, or a moment to wake up, comes late.
    pub(crate) late: u32,
    /// A node crashes between two effects.
    pub(crate) crash_within: u32,
    /// A consumer fails at an event.
    pub(crate) consumer_fails: u32,
    /// A consumer is gone, or takes its time.
    pub(crate) consumer_odd: u32,
    /// How often something befalls a whole node or a worker; `None`: never.
    pub(crate) node_every: Option<Millis>,
    /// How often operators do something.
    pub(crate) operate_every: Option<Millis>,
    /// Whether operators let subscriptions begin elsewhere.
    pub(crate) resets: bool,
    /// Whether operators delete subscriptions, which are opened again at once with other partitions.
    pub(crate) deletions: bool,
}

impl Shape {
    pub(crate) fn new(random: &mut Random) -> Self {
        let subscriptions = random.small(1, 2);
        let streams = random.between(1, 8);
        let ms = std::time::Duration::from_millis;
        Self {
            nodes: random.below(3) + 1,
            streams: (0..streams).map(|number| StreamName::from_store(format!("s-{number}"))).collect(),
            options: (0..subscriptions).map(|number| options(number, random)).collect(),
            capacity: random.small(1, 8),
            group_max: random.below(6) + 1,
            queue_max: random.below(10) + 2,
            outage_limit: random.between(20, 3000),
            patience: random.between(300, 3000),
            begin_every: random.between(20, 120),
            poll_every: random.between(200, 1000),
            strategy: [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll][random.below(3)],
            intensity: Intensity {
                max_restarts: random.small(0, 4),
                within: ms(random.between(1000, 10_000)),
            },
            backoff: Backoff { min: ms(random.between(1, 100)), max: ms(random.between(100, 1000)) },
            steps: random.small(200, 2500),
            faults: Faults::new(random),
            tags: random.small(1, 4),
        }
    }
}

fn options(number: u32, random: &mut Random) -> Options {
    let name = SubscriptionName::new(format!("sim.{number}")).expect("the name has no control characters");
    Options {
        partitions: random.small(1, 5),
        batch_max: random.small(1, 6),
        batch_within_ms: if random.one_in(3) { random.between(1, 200) } else { 0 },
        buffer_max: random.small(2, 24),
        consumers_max: 3,
        checkpoint_after: random.small(1, 20),
        checkpoint_within_ms: random.between(1, 300),
        lease_ms: random.between(700, 3000),
        ..Options::new(name)
    }
}

impl Faults {
    fn new(random: &mut Random) -> Self {
        // Each is absent from some runs, so that none hides what another one shows.
        let mut rate = |most: u32| if random.one_in(4) { 0 } else { random.small(1, most) };
        Self {
            before_commit: rate(100),
            after_commit: rate(100),
            long_request: rate(40),
            lost: rate(300),
            doubled: rate(300),
            late: rate(300),
            crash_within: rate(4),
            consumer_fails: rate(300),
            consumer_odd: rate(80),
            node_every: Some(rate(10)).filter(|rate| *rate > 0).map(|rate| Millis::from(rate) * 120),
            operate_every: Some(rate(10)).filter(|rate| *rate > 0).map(|rate| Millis::from(rate) * 200),
            resets: rate(2) == 1,
            deletions: rate(2) == 1,
        }
    }
}
