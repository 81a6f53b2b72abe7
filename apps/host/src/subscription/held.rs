//! What is told of a handler or process manager whose worker has failed, until that has been started again.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::sleep;

use umbel_bus::{Bus, RouteSet};
use umbel_core::subscription::SubscriptionName;

use super::view::{SubscriptionView, Told};

/// Who follows events, as others wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    /// The component, as in its [`RouteSet`].
    pub(crate) owner: Arc<str>,
    pub(crate) name: &'static str,
    pub(crate) strong: bool,
    pub(crate) events: &'static [&'static str],
    /// Whether others may wait for it. Who follows one stream only tells what holds it up.
    pub(crate) waited_for: bool,
}

/// Those of one bus that have failed: it keeps what they tell alive.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<BTreeMap<&'static str, Arc<Told>>>);

/// Who has failed and goes on for so long is held up no more.
const LASTS: Duration = Duration::from_secs(2);

impl Follower {
    /// It begins: this is where it stands. If it had failed before, that is told only once it has lasted for a while; until then it is told
    /// as held up, and who waits for it goes by what is stored. What is returned is to be run beside it.
    ///
    /// # Errors
    /// When the bus is not running.
    pub(crate) async fn begins(
        self,
        bus: &Bus,
        told: &Arc<Told>,
    ) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
        let had_failed = bus.common::<Held>().has(self.name);
        if !had_failed {
            self.clone().runs(bus, told).await?;
        }
        let (bus, told) = (bus.clone(), Arc::clone(told));
        Ok(async move {
            if had_failed {
                sleep(LASTS).await;
                self.runs(&bus, &told).await?;
            }
            pending().await
        })
    }

    async fn runs(self, bus: &Bus, told: &Told) -> anyhow::Result<()> {
        let Self { owner, name, strong, events, waited_for } = self;
        if waited_for {
            bus.register(RouteSet::new(owner).follows(name, strong, events, told.stand())).await?;
        }
        bus.common::<Held>().release(name);
        Ok(())
    }

    /// It has failed with this, and is held up until it runs again. It stands where it stood, unless other nodes go on with it.
    pub(crate) async fn has_failed(self, bus: &Bus, error: &anyhow::Error) {
        let Self { owner, name, strong, events, waited_for } = self;
        let before = bus.progress().into_iter().find(|progress| progress.name == name);
        let told = Arc::<Told>::default();
        if let Some(before) = before {
            told.reached.send_replace(*before.stand.position.borrow());
        }
        told.held_up.send_replace(Some(format!("{error:#}")));
        told.elsewhere.send_replace(true);
        let stand = told.stand();
        bus.common::<Held>().hold(name, told);
        if waited_for {
            // Where there is no bus any more nobody asks.
            drop(bus.register(RouteSet::new(owner).follows(name, strong, events, stand)).await);
        }
    }
}

impl Held {
    fn hold(&self, name: &'static str, told: Arc<Told>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, told);
    }

    fn has(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Tells of them, also where nothing of them runs at the moment.
    pub(crate) fn tell(&self, views: &mut Vec<SubscriptionView>) {
        for (name, told) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(running) = views.iter_mut().find(|view| view.name.as_str() == *name) {
                running.held_up.clone_from(&told.held_up.borrow());
            } else if let Ok(name) = SubscriptionName::new(*name) {
                views.push(told.view(name));
            }
        }
    }

    fn release(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
