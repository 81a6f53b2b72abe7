//! A decision in several steps, each on the state that the steps before it lead to.

use std::collections::BTreeMap;

use crate::aggregate::{Aggregate, Decision};
use crate::schedule::Plans;
use crate::store::ClaimName;

/// A decision in the making: each step sees the state after the events of the steps before it. The first error discards all of it, and
/// no step behind it runs.
///
/// The guide to commands and aggregates has examples.
#[must_use = "ends with `reply` or `done`"]
pub struct Steps<A: Aggregate, R> {
    progress: Result<Progress<A>, R>,
}

/// What the steps so far have led to.
struct Progress<A: Aggregate> {
    state: A,
    events: Vec<A::Event>,
    take: Vec<ClaimName>,
    release: Vec<ClaimName>,
    plans: Plans,
    named: Named<A>,
}

/// The states after the steps that have names.
#[derive(Debug)]
pub struct Named<A>(BTreeMap<&'static str, A>);

impl<A> Named<A> {
    /// The state after the step of this name, if there was one.
    #[must_use]
    pub fn after(&self, name: &str) -> Option<&A> {
        self.0.get(name)
    }
}

impl<A: Aggregate + Clone, R> Steps<A, R> {
    /// Begins with this state.
    pub fn on(state: &A) -> Self {
        let named = Named(BTreeMap::new());
        let (take, release) = (Vec::new(), Vec::new());
        let (events, plans) = (Vec::new(), Plans::default());
        let progress = Progress { state: state.clone(), events, take, release, plans, named };
        Self { progress: Ok(progress) }
    }

    /// A step that leads to these events, or to none.
    pub fn then<I>(self, step: impl FnOnce(&A) -> Result<I, R>) -> Self
    where
        I: IntoIterator<Item: Into<A::Event>>,
    {
        self.advance(|progress| {
            let events = step(&progress.state)?;
            progress.happen(events);
            Ok(())
        })
    }

    /// A step that also sees the states after the steps with names.
    pub fn then_knowing<I>(self, step: impl FnOnce(&A, &Named<A>) -> Result<I, R>) -> Self
    where
        I: IntoIterator<Item: Into<A::Event>>,
    {
        self.advance(|progress| {
            let events = step(&progress.state, &progress.named)?;
            progress.happen(events);
            Ok(())
        })
    }

    /// A step with a name, under which later steps find the state that it leads to. The last step of a name counts.
    pub fn named<I>(self, name: &'static str, step: impl FnOnce(&A) -> Result<I, R>) -> Self
    where
        I: IntoIterator<Item: Into<A::Event>>,
    {
        self.then(step).advance(|progress| {
            progress.named.0.insert(name, progress.state.clone());
            Ok(())
        })
    }

    /// A step for each of these, in order.
    pub fn reduce<T, I>(
        self,
        items: impl IntoIterator<Item = T>,
        mut step: impl FnMut(&A, T) -> Result<I, R>,
    ) -> Self
    where
        I: IntoIterator<Item: Into<A::Event>>,
    {
        self.advance(|progress| {
            for item in items {
                let events = step(&progress.state, item)?;
                progress.happen(events);
            }
            Ok(())
        })
    }

    /// A whole decision as a step, such as that of another command of this aggregate: its events, claims and plans join these, its reply is
    /// dropped.
    pub fn decide<X>(self, step: impl FnOnce(&A) -> Result<Decision<A::Event, X>, R>) -> Self {
        self.advance(|progress| {
            let Decision { events, take, release, plans, .. } = step(&progress.state)?;
            progress.happen(events);
            progress.take.extend(take);
            progress.release.extend(release);
            progress.plans.extend(plans);
            Ok(())
        })
    }

    /// Steps of their own as one step. What they name is theirs: it does not show outside, nor do they see what is named there.
    pub fn nest(self, steps: impl FnOnce(Self) -> Self) -> Self {
        self.advance(|progress| {
            let inner = steps(Self::on(&progress.state)).progress?;
            progress.state = inner.state;
            progress.events.extend(inner.events);
            progress.take.extend(inner.take);
            progress.release.extend(inner.release);
            progress.plans.extend(inner.plans);
            Ok(())
        })
    }

    /// The decision, with an answer that the last state tells.
    ///
    /// # Errors
    /// The error of the first step that had one.
    pub fn reply<X>(self, reply: impl FnOnce(&A) -> X) -> Result<Decision<A::Event, X>, R> {
        let Progress { state, events, take, release, plans, .. } = self.progress?;
        Ok(Decision { events, reply: reply(&state), take, release, plans })
    }

    /// The decision, with nothing to answer.
    ///
    /// # Errors
    /// The error of the first step that had one.
    pub fn done(self) -> Result<Decision<A::Event, ()>, R> {
        self.reply(|_| ())
    }

    fn advance(self, by: impl FnOnce(&mut Progress<A>) -> Result<(), R>) -> Self {
        let progress = self.progress.and_then(|mut progress| by(&mut progress).map(|()| progress));
        Self { progress }
    }
}

impl<A: Aggregate> Progress<A> {
    fn happen(&mut self, events: impl IntoIterator<Item: Into<A::Event>>) {
        for event in events {
            let event = event.into();
            self.state = std::mem::take(&mut self.state).evolve(&event);
            self.events.push(event);
        }
    }
}

impl<A: Aggregate, R> std::fmt::Debug for Steps<A, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let events = self.progress.as_ref().map_or(0, |progress| progress.events.len());
        f.debug_struct("Steps").field("events", &events).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
