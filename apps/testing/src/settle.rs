//! Waiting until everything that follows the log has come to its end.

use std::{future::Future, panic::Location};

use tokio::time::{Instant, timeout_at};
use umbel_core::Position;

use crate::umbrella::{TestUmbrella, failed};

impl TestUmbrella {
    /// Waits until all is quiet: every projection, and every handler that follows the log, has reached its end, and what they caused has
    /// been followed as well. Returns where the log ends then. Not waited for are handlers of one stream (see [`Self::passed`]) and
    /// whoever appends from outside.
    ///
    /// # Panics
    /// When that does not come within the patience; it says who is behind, and what holds it up.
    #[track_caller]
    pub fn settled(&self) -> impl Future<Output = Position> {
        self.settled_at(Location::caller())
    }

    pub(crate) async fn settled_at(&self, at: &Location<'_>) -> Position {
        let deadline = Instant::now() + self.patience;
        loop {
            let head = self.head(at).await;
            if timeout_at(deadline, self.all_at(head)).await.is_err() {
                failed(at, &format!("not settled within {:?}: {}", self.patience, self.behind(head)));
            }
            // What they did may have led to more.
            if self.head(at).await == head {
                return head;
            }
        }
    }

    /// Waits until the projection or handler of this name has passed a place: a position of the log, or a version for a handler of
    /// one stream.
    ///
    /// # Panics
    /// When it has not within the patience.
    #[track_caller]
    pub fn passed(&self, name: &str, place: u64) -> impl Future<Output = ()> {
        let (at, name) = (Location::caller(), name.to_owned());
        async move {
            let reached = || {
                let views = umbel_host::subscriptions(&self.bus).into_iter();
                let handlers = views.map(|view| (view.name.to_string(), view.reached.get()));
                let running = self.bus.progress().into_iter();
                let projections = running.map(|one| (one.name.to_owned(), one.stand.position.borrow().get()));
                handlers.chain(projections).filter(|(one, _)| *one == name).map(|(_, reached)| reached).max()
            };
            let deadline = Instant::now() + self.patience;
            while reached().is_none_or(|reached| reached < place) {
                if Instant::now() > deadline {
                    let told = reached().map_or("does not run".to_owned(), |at| format!("is at {at}"));
                    failed(at, &format!("{name} {told}, not at {place} within {:?}", self.patience));
                }
                tokio::task::yield_now().await;
            }
        }
    }

    pub(crate) async fn head(&self, at: &Location<'_>) -> Position {
        match self.store().status().await {
            Ok(status) => status.head,
            Err(error) => failed(at, &error),
        }
    }

    /// Resolves when all have passed this position.
    async fn all_at(&self, head: Position) {
        for progress in self.bus.progress() {
            let mut position = progress.stand.position;
            // When it ends before, its successor tells.
            while position.wait_for(|reached| *reached >= head).await.is_err() {
                tokio::task::yield_now().await;
                let successor = self.bus.progress().into_iter().find(|one| one.name == progress.name);
                if let Some(successor) = successor {
                    position = successor.stand.position;
                }
            }
        }
    }

    /// Who has not, and why.
    fn behind(&self, head: Position) -> String {
        let behind = self.bus.progress().into_iter().filter_map(|progress| {
            let (reached, held_up) =
                (*progress.stand.position.borrow(), progress.stand.held_up.borrow().clone());
            let why = held_up.map_or_else(String::new, |why| format!(", held up by: {why}"));
            (reached < head).then(|| format!("{} is at {reached} of {head}{why}", progress.name))
        });
        let behind: Vec<_> = behind.collect();
        if behind.is_empty() { "the log did not come to rest".to_owned() } else { behind.join("; ") }
    }
}
