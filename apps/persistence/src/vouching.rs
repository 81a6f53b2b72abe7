//! What the writer vouches for: that an append which was decided on one before it comes behind just that.
//!
//! Whoever decides on what is on its way to the store names the event that must be there by then ([`StreamAppend::behind`]). Within a
//! group the planner sees to that. When the two fall into different groups the writer does, from memory: it knows what it has stored just
//! now, and an append that names anything else is refused by the planner, which does not know it either.
//!
//! [`StreamAppend::behind`]: umbel_core::store::StreamAppend::behind

use std::mem;

use foldhash::HashSet;
use umbel_core::{
    EventId, Position,
    store::{Append, AppendError, Appended, Stored},
};

/// The last events of what was stored by the last two groups that stored anything. Whoever decides on an append sends the next one
/// before it is answered: so it is here.
#[derive(Debug, Default)]
pub(crate) struct Vouching {
    last: HashSet<EventId>,
    before: HashSet<EventId>,
}

/// The last events of a group that is about to be stored, with the number of their append.
pub(crate) struct Ends(Vec<(usize, EventId)>);

impl Vouching {
    /// Takes out of appends what is vouched for.
    pub(crate) fn vouch(&self, group: &mut [Append]) {
        for stream in group.iter_mut().flat_map(|append| &mut append.streams) {
            if stream.behind.is_some_and(|id| self.last.contains(&id) || self.before.contains(&id)) {
                stream.behind = None;
            }
        }
    }

    /// Remembers what was stored of a group.
    pub(crate) fn remember(&mut self, Ends(ends): Ends, outcomes: &[Result<Appended, AppendError>]) {
        // What was stored before is another append with the same command, or this one: whoever sent that heard of it long ago.
        let is_stored = |number: usize| {
            outcomes.get(number).and_then(|outcome| outcome.as_ref().ok()).is_some_and(is_now)
        };
        let stored: HashSet<_> =
            ends.into_iter().filter(|(number, _)| is_stored(*number)).map(|(_, id)| id).collect();
        if !stored.is_empty() {
            self.before = mem::replace(&mut self.last, stored);
        }
    }
}

fn is_now(appended: &Appended) -> bool {
    appended.stored == Stored::Now && appended.repeated.is_none()
}

impl Ends {
    pub(crate) fn of(group: &[Append]) -> Self {
        let streams = group.iter().enumerate().flat_map(|(number, append)| {
            append.streams.iter().filter_map(move |stream| Some((number, stream.events.last()?.id)))
        });
        Self(streams.collect())
    }

    /// The last event of what was stored now, and its place in the log.
    pub(crate) fn last_stored(
        &self,
        outcomes: &[Result<Appended, AppendError>],
    ) -> Option<(Position, EventId)> {
        let place = |number: usize| {
            outcomes.get(number)?.as_ref().ok().filter(|appended| is_now(appended))?.last_position
        };
        // The last one of several of one append has its place.
        self.0.iter().filter_map(|&(number, id)| Some((place(number)?, id))).max_by_key(|(place, _)| *place)
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::{ExpectedVersion, store::StoreError};
    use umbel_testkit::conformance::Events;

    use super::*;

    /// It vouches for what was stored by the last two groups, and for nothing that was refused.
    #[test]
    fn it_vouches_for_what_was_stored_just_now() {
        let (events, mut vouching) = (Events::default(), Vouching::default());
        let one = || events.append("s", ExpectedVersion::Any, 2);
        let id = |append: &Append| append.streams[0].events[1].id;
        let appends: Vec<_> = (0..4).map(|_| one()).collect();
        let vouches = |vouching: &Vouching, of: &Append| {
            let mut next = one();
            next.streams[0].behind = Some(id(of));
            vouching.vouch(std::slice::from_mut(&mut next));
            next.streams[0].behind.is_none()
        };
        let refused = || Err(StoreError::Overloaded { waiting: 1 }.into());
        vouching.remember(Ends::of(&appends[..2]), &[Ok(Appended::now(None, Vec::new())), refused()]);
        assert!(vouches(&vouching, &appends[0]) && !vouches(&vouching, &appends[1]));
        vouching.remember(Ends::of(&appends[1..2]), &[refused()]);
        let repeated = Appended::repeated(None, umbel_core::Json::parse("1").unwrap());
        vouching.remember(Ends::of(&appends[1..2]), &[Ok(repeated)]);
        vouching.remember(Ends::of(&appends[1..2]), &[Ok(Appended::now(None, Vec::new()).again())]);
        assert!(!vouches(&vouching, &appends[1]), "another append with its command was stored");
        vouching.remember(Ends::of(&appends[2..3]), &[Ok(Appended::now(None, Vec::new()))]);
        assert!(vouches(&vouching, &appends[0]) && vouches(&vouching, &appends[2]));
        vouching.remember(Ends::of(&appends[3..]), &[Ok(Appended::now(None, Vec::new()))]);
        assert!(!vouches(&vouching, &appends[0]) && vouches(&vouching, &appends[2]));
    }
}
