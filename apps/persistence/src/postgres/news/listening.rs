//! The connection that listens: one for all the stores of a pool, on the channels of those that somebody follows.
//!
//! It is driven by the thread that belongs to no store, so that whichever of them stops takes nothing from the others.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{sleep, timeout},
};
use tokio_postgres::{Client, Notification};
use umbel_core::store::StoreError;
use umbel_supervision::{Backoff, describe_panic};

use super::heard;
use crate::{
    adapter::News,
    postgres::{
        attempts::jitter,
        pool::driver,
        target::{Notifications, Target},
    },
};

/// Between attempts to connect again.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(5) };

/// So often the connection is asked at least whether it is still there: it could have been cut off without a word.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What waits for one who follows; whoever falls behind by more is told that something was missed.
const WAITING_MAX: usize = 64;

/// What is heard on a channel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heard {
    News(News),
    /// Everything from here on. What was told before may have been missed.
    FromHere,
}

/// Listens while anybody follows.
#[derive(Debug)]
pub(in crate::postgres) struct Listening {
    target: Target,
    followed: watch::Sender<Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    channels: HashMap<String, Channel>,
    /// Whether there is a task that listens, or tries to.
    is_attended: bool,
}

#[derive(Debug)]
struct Channel {
    tell: broadcast::Sender<Heard>,
    followers: usize,
    /// Whether everybody who follows was told [from where](Heard::FromHere) on it is heard.
    is_heard: bool,
}

/// One who follows a channel.
#[derive(Debug)]
pub(super) struct Follower {
    listening: Arc<Listening>,
    channel: String,
    heard: broadcast::Receiver<Heard>,
}

impl Listening {
    pub(in crate::postgres) fn new(target: &Target) -> Self {
        Self { target: target.of_all_schemas(), followed: watch::Sender::default() }
    }

    /// Follows a channel until dropped. What is heard begins with [`Heard::FromHere`].
    ///
    /// # Errors
    /// When there is no thread to be had to listen on.
    pub(super) fn follow(self: &Arc<Self>, channel: &str) -> Result<Follower, StoreError> {
        let driver = driver()?;
        let (mut heard, mut was_attended) = (None, false);
        self.followed.send_modify(|followed| {
            let known = followed.channels.entry(channel.to_owned()).or_insert_with(Channel::new);
            known.followers += 1;
            known.is_heard = false;
            heard = Some(known.tell.subscribe());
            was_attended = std::mem::replace(&mut followed.is_attended, true);
        });
        if !was_attended {
            driver.spawn(Arc::clone(self).attend());
        }
        let heard = heard.expect("each change to who is followed is made at once");
        Ok(Follower { listening: Arc::clone(self), channel: channel.to_owned(), heard })
    }

    /// Listens until nobody follows any more, whatever panics: nobody else would, for there is one who attends to it.
    async fn attend(self: Arc<Self>) {
        let mut crashes = 0;
        while let Err(panic) = AssertUnwindSafe(self.listen_while_followed()).catch_unwind().await {
            crashes += 1;
            let cause = describe_panic(&*panic);
            tracing::error!(cause, "listening for other processes has crashed; it begins anew");
            sleep(BACKOFF.wait(crashes, jitter())).await;
        }
    }

    async fn listen_while_followed(&self) {
        let mut followed = self.followed.subscribe();
        while self.is_to_go_on() {
            tokio::select! {
                never = self.listen() => match never {},
                _ = followed.wait_for(|followed| followed.channels.is_empty()) => {}
            }
        }
    }

    /// Whether anybody follows; if not, whoever comes next begins anew.
    fn is_to_go_on(&self) -> bool {
        self.followed.send_if_modified(|followed| {
            followed.is_attended = !followed.channels.is_empty();
            followed.is_attended
        })
    }

    /// On one connection after the other.
    async fn listen(&self) -> Infallible {
        let mut failures = 0;
        loop {
            let error = match self.target.listen().await {
                Ok((client, told)) => tokio::select! {
                    error = self.hear(told) => error,
                    error = self.keep_up(&client, &mut failures) => error,
                },
                Err(error) => error,
            };
            failures += 1;
            // Once is news to an operator; again and again is not.
            if failures == 1 {
                tracing::warn!(%error, "appends of other processes are noticed by looking only, for now");
            }
            sleep(BACKOFF.wait(failures, jitter())).await;
        }
    }

    /// Tells who follows what is heard, until the connection ends.
    async fn hear(&self, mut told: Notifications) -> StoreError {
        loop {
            match told.next().await {
                Some(Ok(notification)) => self.tell(&notification),
                Some(Err(error)) => return self.target.explain(&error),
                None => return StoreError::Unavailable { reason: "the connection ended".into() },
            }
        }
    }

    fn tell(&self, notification: &Notification) {
        let followed = self.followed.borrow();
        if let Some(channel) = followed.channels.get(notification.channel())
            && let Some(news) = heard(notification.payload())
        {
            channel.say(Heard::News(news));
        }
    }

    /// Listens to the channels that are followed and to no other, until the server does not answer.
    async fn keep_up(&self, client: &Client, failures: &mut usize) -> StoreError {
        self.change(|followed| followed.channels.values_mut().for_each(|channel| channel.is_heard = false));
        let (mut followed, mut listened) = (self.followed.subscribe(), HashSet::new());
        loop {
            let (new, gone) = followed.borrow_and_update().since(&listened);
            let listen = new.iter().map(|channel| format!("LISTEN \"{channel}\";"));
            let unlisten = gone.iter().map(|channel| format!("UNLISTEN \"{channel}\";"));
            let all: String = listen.chain(unlisten).collect();
            // Also when there is nothing to change: whether there is an answer at all.
            match timeout(self.target.connect_timeout(), client.batch_execute(&all)).await {
                Ok(Ok(())) => *failures = 0,
                Ok(Err(error)) => return self.target.explain(&error),
                Err(_elapsed) => {
                    let reason = format!("PostgreSQL at {}: no answer in time", self.target.place());
                    return StoreError::Unavailable { reason };
                }
            }
            self.change(|followed| followed.are_heard(&new));
            listened.retain(|channel| !gone.contains(channel));
            listened.extend(new);
            drop(timeout(SILENCE_MAX, followed.changed()).await);
        }
    }

    /// Changes what is nobody's business but that of the task that listens.
    fn change(&self, change: impl FnOnce(&mut Followed)) {
        self.followed.send_if_modified(|followed| {
            change(followed);
            false
        });
    }
}

impl Followed {
    /// What is to be listened to that is not, and what is that need not be.
    fn since(&self, listened: &HashSet<String>) -> (Vec<String>, Vec<String>) {
        let new = self.channels.iter().filter(|(_, channel)| !channel.is_heard).map(|(name, _)| name.clone());
        let gone = listened.iter().filter(|name| !self.channels.contains_key(*name)).cloned();
        (new.collect(), gone.collect())
    }

    fn are_heard(&mut self, channels: &[String]) {
        for name in channels {
            if let Some(channel) = self.channels.get_mut(name) {
                channel.is_heard = true;
                channel.say(Heard::FromHere);
            }
        }
    }
}

impl Channel {
    fn new() -> Self {
        Self { tell: broadcast::Sender::new(WAITING_MAX), followers: 0, is_heard: false }
    }

    fn say(&self, heard: Heard) {
        self.tell.send(heard).expect("who follows a channel hears it for as long as it is there");
    }
}

impl Follower {
    /// What is heard next.
    pub(super) async fn next(&mut self) -> Heard {
        match self.heard.recv().await {
            Ok(heard) => heard,
            Err(RecvError::Lagged(_)) => Heard::FromHere,
            Err(RecvError::Closed) => unreachable!("a channel is there for as long as it is followed"),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.listening.followed.send_if_modified(|followed| {
            let Some(channel) = followed.channels.get_mut(&self.channel) else { return false };
            channel.followers -= 1;
            let is_last = channel.followers == 0;
            if is_last {
                followed.channels.remove(&self.channel);
            }
            is_last
        });
    }
}

#[cfg(test)]
mod tests {
    use umbel_testkit::postgres::TestPostgres;

    use super::*;
    use crate::postgres::{PostgresOptions, sql::Schema};

    /// A deadline that nothing reaches unless something is wrong.
    const AMPLE: Duration = Duration::from_secs(30);

    /// SU-10: given what listens for other processes, when it panics, then it begins anew, and whoever follows hears what comes.
    #[tokio::test]
    async fn who_follows_hears_again_after_a_panic() {
        let url = TestPostgres::get().unwrap().url();
        let target = Target::new(url, &Schema::new("any").unwrap(), &PostgresOptions::default()).unwrap();
        let listening = Arc::new(Listening::new(&target));
        let channel = |name: &str| format!("{name}-{}", std::process::id());
        // It panics over a channel that nobody can hear.
        let unheard = Channel { followers: 1, ..Channel::new() };
        listening
            .followed
            .send_modify(|followed| drop(followed.channels.insert(channel("unheard"), unheard)));
        let _first = listening.follow(&channel("first")).unwrap();
        while !listening.followed.borrow().channels[&channel("unheard")].is_heard {
            sleep(Duration::from_millis(1)).await;
        }
        listening.followed.send_modify(|followed| drop(followed.channels.remove(&channel("unheard"))));
        let mut second = listening.follow(&channel("second")).unwrap();
        let heard = timeout(AMPLE, second.next()).await;
        assert!(matches!(heard, Ok(Heard::FromHere)), "{heard:?}");
    }
}
