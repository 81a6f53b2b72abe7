//! Panics on demand, for tests of recovery. Compiled only with the feature `faults`, which no product build has.

use actix::Message;

use crate::{actor::BusActor, handle::Bus};

/// Makes the actor that gets it panic, or the actors below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectPanic {
    /// The actor itself.
    Here,
    /// Those that it runs, such as the instances of an aggregate; the answer comes when all have panicked. Only actors
    /// that registered by [`crate::RouteSet::panics_below`] are sent this.
    Below,
}

impl Message for InjectPanic {
    type Result = ();
}

/// Makes an actor take injected panics: `takes_faults!([A: Aggregate] AggregateHost<A>)`.
#[macro_export]
macro_rules! takes_faults {
    ([$($generics:tt)*] $actor:ty) => {
        impl<$($generics)*> actix::Handler<$crate::InjectPanic> for $actor {
            type Result = ();

            #[allow(clippy::panic, reason = "that is its purpose; unseen by the lint within this crate")]
            fn handle(&mut self, _: $crate::InjectPanic, _: &mut Self::Context) {
                panic!("a test asked this actor to panic");
            }
        }
    };
}

takes_faults!([] BusActor);

impl Bus {
    /// Makes the component with this name panic; `false` if no such component takes faults.
    pub async fn inject_panic(&self, component: &str) -> bool {
        let routes = self.routes();
        let Some(fault) = routes.faults.get(component) else { return false };
        let (recipient, what) = (&fault.recipient, fault.what);
        recipient.send(what).await.is_err() || what == InjectPanic::Below
    }

    /// The components that take faults.
    #[must_use]
    pub fn fault_targets(&self) -> Vec<String> {
        let mut targets: Vec<_> = self.routes().faults.keys().map(ToString::to_string).collect();
        targets.sort();
        targets
    }
}
