//! A connection of the pool while it is in use.
//!
//! A caller that has waited long enough drops its request, but the server goes on with the statement, and so would
//! whoever got that connection next wait for it. So only a connection that has answered goes back to the pool.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use deadpool::managed::Object;
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit};
use tokio_postgres::Error;

use super::{Opener, Pooled};
use crate::postgres::{error::is_read_only, target::Target};

/// What becomes of a statement that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Abandoned {
    /// The server is asked to stop: nothing is lost with a read.
    Cancel,
    /// It ends by itself, whole or not at all; the statement timeout bounds how long that may take. A write that
    /// takes longer than its callers wait would otherwise never come to an end.
    LetEnd,
}

/// Goes back to the pool by [`Lease::give_back`]; dropped before that, it closes its connection instead.
pub(in crate::postgres) struct Lease {
    /// `None` once given back.
    pooled: Option<Object<Opener>>,
    target: Arc<Target>,
    abandoned: Abandoned,
    /// Given back after the connection.
    _place: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn new(
        pooled: Object<Opener>,
        place: OwnedSemaphorePermit,
        target: Arc<Target>,
        abandoned: Abandoned,
    ) -> Self {
        // What it is taken for is asked from now on.
        pooled.silence.begin_anew();
        Self { pooled: Some(pooled), target, abandoned, _place: place }
    }

    /// The last statement was answered: the connection is free for the next one.
    pub(in crate::postgres) fn give_back(mut self) {
        self.has_answered();
        drop(self.pooled.take());
    }

    /// The same where the answer was an error. If that says that the server takes no writes, as one that was the primary once, this
    /// connection is closed, and none that was opened before is used again.
    pub(in crate::postgres) fn give_back_after(mut self, error: &Error) {
        let Some(pooled) = self.pooled.take() else { return };
        if error.code().is_some() {
            pooled.has_answered();
        }
        if is_read_only(error) {
            if let Some(pool) = Object::pool(&pooled) {
                pool.manager().give_up_server(pooled.server);
            }
            drop(Object::take(pooled));
        }
    }
}

impl Deref for Lease {
    type Target = Pooled;

    fn deref(&self) -> &Pooled {
        self.pooled.as_ref().expect("giving a lease back consumes it")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Pooled {
        self.pooled.as_mut().expect("giving a lease back consumes it")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(pooled) = self.pooled.take() else { return };
        // Its place in the pool is free for a new connection from here on.
        let Pooled { client, driving, .. } = Object::take(pooled);
        // Without a runtime the process is about to end, and all connections with it.
        match (self.abandoned, Handle::try_current()) {
            (Abandoned::Cancel, Ok(runtime)) => {
                let target = Arc::clone(&self.target);
                // The connection stays open until the server was told, so that a pooler between knows which is meant.
                runtime.spawn(async move {
                    target.cancel(&client).await;
                    drop(driving);
                });
            }
            (Abandoned::LetEnd, _) => driving.detach(),
            (Abandoned::Cancel, Err(_)) => {}
        }
    }
}
