//! Process managers at work: events come by the durable subscription of their name, commands go out over the bus.
//!
//! What an instance makes of an event is decided in the core (`umbel_core::process_manager`); here it is stored and carried out. A
//! router takes events and gives each to the instances it concerns; each instance has a queue of its own, so that one that is slow, or
//! waits for a retry, holds up nobody else. An event is acknowledged once all of its instances have done with it, commands
//! included.
//!
//! Nothing here is needed to be right about who owns what: whoever handles an event again finds it recorded, whoever holds an
//! outdated file is refused, and commands go out under the same ids. A lease only keeps two nodes from doing the same work.

mod calls;
mod clerk;
mod desk;
mod dispatching;
mod limit;
mod reminders;
mod router;
mod storing;
mod ticket;
mod worker;

pub(crate) use worker::worker;
