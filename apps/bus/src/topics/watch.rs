//! Watches over pending events: who has said what of which, and until when. Pure: time comes in.
//!
//! An event is pending until each of its subscribers has a verdict; then it is handed back with all of them,
//! once. Whether it is done is told by who has spoken and never by how many: a second word of one subscriber,
//! or a word of a stranger, changes nothing. Each event ends by its own time at the latest, so nothing stays
//! for ever.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use tokio::time::Instant;

use super::{event::Shadow, subscription::SubscriberId};

/// What became of an event at one of its subscribers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The subscriber did what it had to.
    Completed,
    /// The subscriber did not: it refused to, failed, or panicked.
    Skipped {
        /// Why.
        reason: Arc<str>,
    },
    /// The subscriber said nothing in time: before the event's time was over, or before its own lease was.
    /// What it did is not known.
    Expired,
    /// The subscriber never got it: its queue was full, or it had been disconnected.
    Missed,
    /// The subscriber or the topic left the bus before it had said anything.
    Withdrawn,
}

/// What became of an event at all of its subscribers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// Which event.
    pub shadow: Shadow,
    /// The subscribers it was published to, in the order in which they had subscribed, each with its verdict.
    pub given: Vec<(Arc<SubscriberId>, Verdict)>,
}

/// What a mark did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It counts; others have still to speak.
    Counted,
    /// It counts, and it was the last: the event is done.
    Finished,
    /// It does not: this subscriber has a verdict already, this one.
    Already(Verdict),
    /// It does not: the event was not published to this subscriber.
    Stranger,
    /// There is no such event: it is done or has expired, or it never was, or it is not tracked.
    Unknown,
}

/// An event that is no longer pending.
#[derive(Debug)]
pub(crate) struct Finished<P> {
    pub(crate) payload: P,
    pub(crate) verdicts: Verdicts,
}

/// Why an event is not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwatched {
    Duplicate,
    Full,
}

/// All pending events, each with a payload of the caller's.
#[derive(Debug)]
pub(crate) struct Watch<P> {
    events: HashMap<Shadow, Watched<P>>,
    /// When which event must be looked at.
    wakes: BTreeSet<(Instant, Shadow)>,
    capacity: usize,
}

#[derive(Debug)]
struct Watched<P> {
    payload: P,
    expires: Instant,
    /// Its entry in the wakes: when it expires, or the first lease does.
    wake: Instant,
    subscribers: Vec<(Arc<SubscriberId>, State)>,
    /// How many have no verdict.
    open: usize,
}

#[derive(Debug)]
enum State {
    Waiting,
    /// At work on it, until then.
    Taken(Instant),
    Judged(Verdict),
}

impl Verdicts {
    /// Whether every subscriber completed it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.given.iter().all(|(_, verdict)| *verdict == Verdict::Completed)
    }

    /// The verdict of one subscriber; `None` when the event was not published to it.
    #[must_use]
    pub fn of(&self, subscriber: &SubscriberId) -> Option<&Verdict> {
        self.given.iter().find(|(known, _)| **known == *subscriber).map(|(_, verdict)| verdict)
    }
}

impl<P> Watch<P> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { events: HashMap::new(), wakes: BTreeSet::new(), capacity }
    }

    /// Watches over an event until it expires.
    pub(crate) fn insert(
        &mut self,
        shadow: Shadow,
        payload: P,
        subscribers: Vec<Arc<SubscriberId>>,
        expires: Instant,
    ) -> Result<(), Unwatched> {
        if self.events.contains_key(&shadow) {
            return Err(Unwatched::Duplicate);
        }
        if self.events.len() >= self.capacity {
            return Err(Unwatched::Full);
        }
        let open = subscribers.len();
        let subscribers = subscribers.into_iter().map(|id| (id, State::Waiting)).collect();
        self.wakes.insert((expires, shadow.clone()));
        self.events.insert(shadow, Watched { payload, expires, wake: expires, subscribers, open });
        Ok(())
    }

    pub(crate) fn get(&self, shadow: &Shadow) -> Option<&P> {
        self.events.get(shadow).map(|watched| &watched.payload)
    }

    /// How many are pending on a topic.
    pub(crate) fn pending(&self, topic: &str) -> usize {
        self.events.keys().filter(|shadow| *shadow.topic == *topic).count()
    }

    /// When something must be looked at next.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.wakes.first().map(|(wake, _)| *wake)
    }

    /// A subscriber takes an event to work on it until the given moment. `false`: it is not wanted any more.
    pub(crate) fn take(&mut self, shadow: &Shadow, subscriber: &SubscriberId, lease_ends: Instant) -> bool {
        let Some(watched) = self.events.get_mut(shadow) else { return false };
        let Some(state @ State::Waiting) = watched.state_of(subscriber) else { return false };
        *state = State::Taken(lease_ends);
        let earlier = lease_ends.min(watched.wake);
        watched.move_wake(earlier, shadow, &mut self.wakes);
        true
    }

    /// A subscriber says what became of an event.
    pub(crate) fn mark(
        &mut self,
        shadow: &Shadow,
        subscriber: &SubscriberId,
        verdict: Verdict,
    ) -> (Marked, Option<Finished<P>>) {
        let Some(watched) = self.events.get_mut(shadow) else { return (Marked::Unknown, None) };
        match watched.state_of(subscriber) {
            None => (Marked::Stranger, None),
            Some(State::Judged(verdict)) => (Marked::Already(verdict.clone()), None),
            Some(state) => {
                *state = State::Judged(verdict);
                watched.open -= 1;
                if watched.open > 0 {
                    return (Marked::Counted, None);
                }
                (Marked::Finished, self.finish(shadow))
            }
        }
    }

    /// Whatever a subscriber has not spoken of is withdrawn from it; the events that are done by that.
    pub(crate) fn withdraw_from(&mut self, subscriber: &SubscriberId) -> Vec<Finished<P>> {
        let shadows: Vec<_> = self.events.keys().cloned().collect();
        let mark = |shadow| self.mark(&shadow, subscriber, Verdict::Withdrawn).1;
        shadows.into_iter().filter_map(mark).collect()
    }

    /// Withdraws one event.
    pub(crate) fn withdraw(&mut self, shadow: &Shadow) -> Option<Finished<P>> {
        self.end(shadow, &Verdict::Withdrawn)
    }

    /// Withdraws all events of a topic.
    pub(crate) fn withdraw_topic(&mut self, topic: &str) -> Vec<Finished<P>> {
        let shadows: Vec<_> = self.events.keys().filter(|shadow| *shadow.topic == *topic).cloned().collect();
        shadows.iter().filter_map(|shadow| self.withdraw(shadow)).collect()
    }

    /// Ends what has not been spoken of in time; the events that are done by that.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Finished<P>> {
        let mut finished = Vec::new();
        while let Some((wake, _)) = self.wakes.first()
            && *wake <= now
            && let Some((_, shadow)) = self.wakes.pop_first()
        {
            finished.extend(self.look_at(&shadow, now));
        }
        finished
    }

    /// Looks at an event whose wake has come, and was taken out.
    fn look_at(&mut self, shadow: &Shadow, now: Instant) -> Option<Finished<P>> {
        let watched = self.events.get_mut(shadow)?;
        if watched.expires <= now {
            return self.end(shadow, &Verdict::Expired);
        }
        watched.judge_open(&Verdict::Expired, |state| matches!(state, State::Taken(ends) if *ends <= now));
        if watched.open == 0 {
            return self.finish(shadow);
        }
        let leases = watched.subscribers.iter().filter_map(|(_, state)| match state {
            State::Taken(ends) => Some(*ends),
            _ => None,
        });
        let wake = leases.fold(watched.expires, Instant::min);
        watched.move_wake(wake, shadow, &mut self.wakes);
        None
    }

    /// Ends an event with one verdict for all who have not spoken.
    fn end(&mut self, shadow: &Shadow, verdict: &Verdict) -> Option<Finished<P>> {
        self.events.get_mut(shadow)?.judge_open(verdict, |_| true);
        self.finish(shadow)
    }

    fn finish(&mut self, shadow: &Shadow) -> Option<Finished<P>> {
        let (shadow, watched) = self.events.remove_entry(shadow)?;
        self.wakes.remove(&(watched.wake, shadow.clone()));
        let given = watched.subscribers.into_iter().filter_map(|(id, state)| match state {
            State::Judged(verdict) => Some((id, verdict)),
            _ => None,
        });
        let verdicts = Verdicts { shadow, given: given.collect() };
        Some(Finished { payload: watched.payload, verdicts })
    }
}

impl<P> Watched<P> {
    fn state_of(&mut self, subscriber: &SubscriberId) -> Option<&mut State> {
        self.subscribers.iter_mut().find(|(id, _)| **id == *subscriber).map(|(_, state)| state)
    }

    /// Gives a verdict to those without one who are meant.
    fn judge_open(&mut self, verdict: &Verdict, meant: impl Fn(&State) -> bool) {
        for (_, state) in &mut self.subscribers {
            if !matches!(state, State::Judged(_)) && meant(state) {
                *state = State::Judged(verdict.clone());
                self.open -= 1;
            }
        }
    }

    fn move_wake(&mut self, wake: Instant, shadow: &Shadow, wakes: &mut BTreeSet<(Instant, Shadow)>) {
        wakes.remove(&(self.wake, shadow.clone()));
        wakes.insert((wake, shadow.clone()));
        self.wake = wake;
    }
}

#[cfg(test)]
mod tests;
