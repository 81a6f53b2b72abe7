//! Panics on demand, for tests of recovery. Compiled only with the feature `faults`, which no product build has.

use actix::{Context, Handler, Message};

use crate::{actor::BusActor, handle::Bus};

/// Makes the actor that gets it panic.
#[derive(Clone, Copy, Debug)]
pub struct InjectPanic;

impl Message for InjectPanic {
    type Result = ();
}

impl Handler<InjectPanic> for BusActor {
    type Result = ();

    #[expect(clippy::panic, reason = "that is its purpose")]
    fn handle(&mut self, _: InjectPanic, _: &mut Context<Self>) {
        panic!("a test asked the bus actor to panic");
    }
}

impl Bus {
    /// Makes the component with this name panic; `false` if no such component takes faults.
    pub async fn inject_panic(&self, component: &str) -> bool {
        let routes = self.routes();
        let Some(recipient) = routes.faults.get(component) else { return false };
        recipient.send(InjectPanic).await.is_err()
    }

    /// The components that take faults.
    #[must_use]
    pub fn fault_targets(&self) -> Vec<String> {
        let mut targets: Vec<_> = self.routes().faults.keys().map(ToString::to_string).collect();
        targets.sort();
        targets
    }
}
