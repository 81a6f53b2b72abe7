//! Sees to it that what the plan says is done, and that the plan is that of the store.

use std::{
    future::{pending, ready},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::Either;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use umbel_bus::{Bus, Store};
use umbel_core::{
    Position, Projection,
    store::{Generation, Phase, RemoveRetired, TablesError},
};

use super::{
    hook::{Hook, Owed},
    line::Line,
    list, open,
    plan::Plan,
};
use crate::{inline::Rule, settings::HostSettings};

/// What following the log takes, for all generations.
pub(super) struct Follower<P: Projection> {
    pub(super) bus: Bus,
    pub(super) store: Store,
    pub(super) settings: HostSettings,
    pub(super) names: Arc<[String]>,
    /// Whether the rule is kept for the documents of its version only: it makes none.
    pub(super) is_former: bool,
    pub(super) hook: Option<Hook<P::Event>>,
    /// What generations have claimed for the hook that commit nothing more.
    pub(super) left: Mutex<Owed>,
    /// What those who append know of it, if it is inline.
    pub(super) rule: Option<Arc<Rule>>,
    /// When a generation was joined to appends last, or that was tried.
    pub(super) joined: Mutex<Option<Instant>>,
    /// How far the documents have come that readers get.
    pub(super) progress: watch::Sender<Position>,
    /// Whether these are not ours: then the store knows better.
    pub(super) elsewhere: watch::Sender<bool>,
    pub(super) troubles: Troubles,
    pub(super) drain: watch::Receiver<bool>,
}

/// What keeps the generations from going on, for those who ask.
pub(super) struct Troubles {
    /// The one that serves: its documents do not show what is stored.
    pub(super) held_up: watch::Sender<Option<String>>,
    /// One that does not serve, or does no longer, which no reader suffers from.
    pub(super) beside: watch::Sender<Option<String>>,
}

impl Troubles {
    /// Tells what holds up the generation in this phase, or that nothing does.
    pub(super) fn tell(&self, phase: Phase, trouble: Option<String>) {
        match phase {
            Phase::Serving => tell(&self.held_up, trouble),
            _ => tell(&self.beside, trouble.map(|trouble| format!("cannot be built: {trouble}"))),
        }
    }

    /// Forgets what held up the generations of an older plan.
    fn begin(&self, superseded: Option<String>) {
        tell(&self.held_up, None);
        tell(&self.beside, superseded);
    }
}

fn tell(listeners: &watch::Sender<Option<String>>, trouble: Option<String>) {
    listeners.send_if_modified(|before| {
        let changed = *before != trouble;
        *before = trouble;
        changed
    });
}

impl<P: Projection> Follower<P> {
    /// Works until told to stop, at first by what the store had when this began.
    pub(super) async fn follow(self, mut kept: Vec<Generation>) {
        while !self.is_draining() {
            let plan = Plan::of(&kept, P::VERSION);
            self.begin(&plan, &kept);
            let (stop, stopped) = watch::channel(false);
            let follow = |generation: &Option<Generation>| match generation {
                Some(generation) => {
                    let (line, stop, stopped) = (Line::new(&self, generation), stop.clone(), stopped.clone());
                    Either::Left(async move {
                        line.follow(stopped).await;
                        stop.send_replace(true);
                    })
                }
                None => Either::Right(ready(())),
            };
            let work = futures_util::future::join3(
                follow(&plan.serving),
                follow(&plan.building),
                self.tidy(&plan, stopped.clone()),
            );
            ((), kept) = futures_util::future::join(
                async {
                    work.await;
                },
                self.watch(&plan, &stop),
            )
            .await;
        }
    }

    fn is_draining(&self) -> bool {
        *self.drain.borrow()
    }

    fn begin(&self, plan: &Plan, kept: &[Generation]) {
        if let Some(rule) = &self.rule {
            rule.note(kept);
        }
        // A former rule is there to be superseded.
        let superseded = plan.superseded_by.filter(|_| !self.is_former).map(|newer| {
            format!("version {} is superseded: version {newer} serves; update this node", P::VERSION)
        });
        if let Some(reason) = &superseded {
            tracing::warn!(projection = P::NAME, reason, "projection has nothing to do any more");
        }
        self.troubles.begin(superseded);
        self.elsewhere.send_replace(plan.serving.is_none());
    }

    /// Looks now and then what the store has, until that is another plan, or this one has ended. Tells those who work by it to stop.
    async fn watch(&self, plan: &Plan, stop: &watch::Sender<bool>) -> Vec<Generation> {
        let (mut drain, mut stopped) = (self.drain.clone(), stop.subscribe());
        let mut pause = self.settings.store_retry_min();
        loop {
            let has_ended = *stopped.borrow();
            if self.is_draining() {
                stop.send_replace(true);
                return Vec::new();
            }
            if !has_ended {
                tokio::select! {
                    () = sleep(self.settings.projection_look()) => {}
                    () = self.doubted() => {}
                    _ = stopped.changed() => {}
                    _ = drain.changed() => continue,
                }
            }
            let opened = tokio::select! {
                opened = self.look() => opened,
                _ = drain.changed() => continue,
            };
            match opened {
                Ok(kept) if *stopped.borrow() || !Plan::of(&kept, P::VERSION).is_as(plan) => {
                    stop.send_replace(true);
                    return kept;
                }
                Ok(kept) => {
                    pause = self.settings.store_retry_min();
                    if plan.serving.is_none()
                        && let Some(serving) = kept.iter().find(|one| one.phase == Phase::Serving)
                    {
                        self.progress.send_replace(serving.position);
                        self.call_for_left(serving.position).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(projection = P::NAME, %error, "cannot look which generations there are");
                    tokio::select! {
                        () = sleep(pause) => {}
                        _ = drain.changed() => {}
                    }
                    pause = self.settings.store_retry_after(pause);
                }
            }
        }
    }

    /// What the store has, after it has made what is needed.
    async fn look(&self) -> Result<Vec<Generation>, TablesError> {
        if self.is_former { Ok(list::<P>(&self.store).await?) } else { open::<P>(&self.store).await }
    }

    /// Whether a generation is to be joined to appends: not where that was done just now, and somebody appends who does not know it, nor
    /// where it was tried just now, and others were faster. Each time makes all who write look anew what they remember, or wait.
    pub(super) fn may_join(&self) -> bool {
        let last = *self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_none_or(|last| last.elapsed() >= self.settings.projection_look())
    }

    /// One was, or was to be.
    pub(super) fn has_tried_to_join(&self) {
        *self.joined.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Resolves when an append has found that something is not as it was believed.
    async fn doubted(&self) {
        match &self.rule {
            Some(rule) => rule.changed().await,
            None => pending().await,
        }
    }

    /// Removes what retired generations have left, part by part. Should it fail, the next plan's begin does it.
    async fn tidy(&self, plan: &Plan, stopped: watch::Receiver<bool>) {
        let mut left = plan.litter && plan.serving.is_some() && !self.is_former;
        while left && !*stopped.borrow() {
            let request = RemoveRetired { projection: P::NAME.to_owned() };
            left = self.store.remove_retired(request).await.unwrap_or_else(|error| {
                tracing::warn!(projection = P::NAME, %error, "what a retired generation has left stays for now");
                false
            });
        }
    }
}
