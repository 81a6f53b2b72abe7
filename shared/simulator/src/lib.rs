//! Whole clusters in one thread: nodes with their writers, subscriptions and supervisors, one store, clients, consumers and
//! operators, under a virtual clock, with faults, watched by an oracle. A seed determines all of it.
//!
//! What runs is what runs in production wherever that is pure: [`plan`](umbel_core::store::plan::plan) decides appends,
//! [`Resolution`](umbel_core::store::resolution::Resolution) how a writer goes on when it gets no answer,
//! [`Machine`](umbel_core::subscription::Machine) is the protocol of a subscription,
//! [`decide`](umbel_core::process_manager::decide) what an instance of a process manager makes of an event,
//! [`Scheduled`](umbel_core::schedule::Scheduled) how a schedule is carried out, [`Decider`](umbel_supervision::decision::Decider)
//! decides restarts. What carries out their effects there (actors, a database, tasks) is a model here: small, and as unfriendly as
//! its contract allows. A model is written from the contract, so a fault in what it stands for is not found here.
//!
//! # What happens
//!
//! - A request to the store may not arrive, may be carried out without an answer, may be carried out after its sender was told that
//!   it failed, and may take longer than leases last.
//! - An announcement of new events may be lost, doubled or late; so may be the moment for which a machine asked.
//! - A node may crash between any two effects, freeze beyond its leases, stop in order; each worker of it may fail.
//! - Between a runner and its consumers are queues. Consumers fail, dawdle, vanish, and handle what is no longer theirs.
//! - Clients lose patience and try again elsewhere, with the same ids. Operators pause, reset,
//!   delete, retry, and discard.
//!
//! After some steps faults cease, and everything must come to rest: each append settled, each event handled, no letter left, each
//! checkpoint at the end, each worker up, partitions divided evenly; then nothing may be read or saved for nothing; then all nodes stop.
//!
//! Beside the cluster each seed has a smaller world for what is left to do, of process managers and of schedules: nodes that look after
//! the same instances and entries of the outbox at the same time, get events twice, lose answers, and crash between any two effects;
//! commands that are refused, and the dead letters that follow from that, which operators retry and discard.
//!
//! # What is checked
//!
//! By the first word of what is told when it is broken, with the number of the invariant in `ARCHITECTURE.md`:
//!
//! - `log`: places and versions are contiguous, readers see no gap (2); what was acknowledged is there once, where the answer
//!   says, what was refused is not and will not be (3);
//! - `condition`: what is stored on condition is stored behind nothing that it would have had to know, and who is refused for an event
//!   rests on such and has not read it (3);
//! - `order`: the first time that an event is handled, all before it of its key are handled, skipped or discarded (6);
//! - `checkpoint`: none goes back, none passes an event that is neither done nor a dead letter, only owners move them (7);
//! - `lease`: nothing is sent but under a lease that lasts, by the store's clock, so a partition has one owner;
//! - `replay`: what is called a replay was done with before; all is that lies within what the store told with the leases; and who
//!   handles something is told of each reset before;
//! - `visible`: who says that a position is visible in a subscription is right;
//! - `supervision`: whom a supervisor restarts, when, and when it gives up, counted in another way;
//! - `process`: an instance handles each event once, in its turn, and is what it must be by those; one that has ended is there again only
//!   by a new event; each command that was ordered is dispatched to its end and has its effect once, unless the dead letter that it
//!   waits with was discarded;
//! - `schedule`: each run that was taken is carried out, with one effect, and none of a schedule that was taken back;
//! - `machine`: what a machine promises its runner: bounds, one request of a kind at a time, nothing to strangers;
//! - `rest`: everything comes to rest, and shares are even then.
//!
//! # How to read a trace
//!
//! `make sim SEED=42 TRACE=1` prints the world's shape and then one line for each thing that happened, with the milliseconds since the
//! world began:
//!
//! ```text
//!   1204 client: intent 3 is s-1 expected at any: events (id, kind) [(17, 2)]      a client wants to append
//!   1211 store for node 0 writer: Commit behind 8 events [17]                     a request is carried out
//!   1219 client hears of intent 3, try 0: Outcome(Ok(Appended { .. }))            the first try had an answer
//!   1220 node 1 sub 0 hears Head(Place(9))                                        a machine takes something in,
//!   1220   Fetch { after: Place(8), limit: 24 }                                   and says this: one line for each effect
//!   1228 node 1 sub 0: the answer to this will be lost: Save([..])                a fault, told where it is decided
//!   1240 node 1 sub 0: ConsumerId(31) handles 9 of s-1                            an event has had its effect
//! ```
//!
//! Keys are shown as the streams they belong to, ids as numbers. Read from the end: the last line is about what the oracle objects
//! to. Then search backwards for the place it names (`Place(9)`, `handles 9`) and for the partition's `epoch`: who owned it, who
//! sent it to whom, what the store was told. Fewer steps make it shorter: when a run fails, the number of steps after which faults cease
//! is cut as long as something still breaks, and the command that is printed says so with `STEPS=`.

mod bug;
mod chores;
mod node;
mod oracle;
mod random;
mod run;
mod schedule;
mod shape;
mod store;
mod supervision;
mod world;

pub use bug::Bug;
pub use run::{Failure, Run, Seen, Told};
