//! What is told of a handler or process manager whose worker has failed, until that has been started again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use umbel_bus::{Bus, RouteSet};

use crate::subscription::Told;

/// Who follows events, as others wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    /// The component, as in its [`RouteSet`].
    pub(crate) owner: Arc<str>,
    pub(crate) name: &'static str,
    pub(crate) strong: bool,
    pub(crate) events: &'static [&'static str],
}

/// Those of one bus that have failed: it keeps what they tell alive.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<BTreeMap<&'static str, Arc<Told>>>);

impl Follower {
    /// It runs: this is where it stands.
    pub(crate) async fn runs(self, bus: &Bus, told: &Told) -> anyhow::Result<()> {
        let Self { owner, name, strong, events } = self;
        bus.register(RouteSet::new(owner).follows(name, strong, events, told.stand())).await?;
        bus.common::<Held>().release(name);
        Ok(())
    }

    /// It has failed with this, and is held up until it runs again. It stands where it stood, unless other nodes go on with it.
    pub(crate) async fn has_failed(self, bus: &Bus, error: &anyhow::Error) {
        let Self { owner, name, strong, events } = self;
        let before = bus.progress().into_iter().find(|progress| progress.name == name);
        let told = Arc::<Told>::default();
        if let Some(before) = before {
            told.reached.send_replace(*before.stand.position.borrow());
        }
        told.held_up.send_replace(Some(format!("{error:#}")));
        told.elsewhere.send_replace(true);
        let stand = told.stand();
        bus.common::<Held>().hold(name, told);
        // Where there is no bus any more nobody asks.
        drop(bus.register(RouteSet::new(owner).follows(name, strong, events, stand)).await);
    }
}

impl Held {
    fn hold(&self, name: &'static str, told: Arc<Told>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, told);
    }

    fn release(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
