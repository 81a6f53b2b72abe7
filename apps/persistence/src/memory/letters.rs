//! Dead letters.

use std::collections::{BTreeSet, HashSet};

use umbel_core::{
    Json, Timestamp,
    store::{
        Lease, Letter, LetterFilter, LettersSettled, ListLetters, NewLetter, ParkLetters, PerformError,
        SettleLetters,
    },
    subscription::{SettledLetter, Settling, SubscriptionName},
    version::Place,
};

use super::{count, size, state::State, subscriptions::Subscription};

impl State {
    pub(super) fn park_letters(&mut self, request: ParkLetters, now: Timestamp) -> Vec<u32> {
        let name = request.subscription;
        let mut refused = BTreeSet::new();
        for new in request.letters {
            let Lease { partition, epoch } = new.lease;
            let handled = self.leased(&name, partition, epoch).map(|partition| partition.handled);
            let (Some(handled), Some(subscription)) = (handled, self.subscriptions.get_mut(&name)) else {
                refused.insert(partition);
                continue;
            };
            let replay = new.place <= handled;
            subscription.letters.entry(new.place).or_insert_with(|| letter(&name, new, replay, now));
        }
        refused.into_iter().collect()
    }

    pub(super) fn settle_letters(&mut self, request: SettleLetters) -> LettersSettled {
        let name = request.subscription;
        let (mut refused, mut touched) = (BTreeSet::new(), BTreeSet::new());
        for SettledLetter { partition, epoch, place, key, settling } in request.settled {
            if self.leased(&name, partition, epoch).is_none() {
                refused.insert(partition);
                continue;
            }
            touched.insert((partition, key));
            let Some(subscription) = self.subscriptions.get_mut(&name) else { continue };
            match settling {
                Settling::Done => drop(subscription.letters.remove(&place)),
                Settling::Failed(failure) => {
                    let letter = subscription.letters.get_mut(&place);
                    // The same again must not take back what was asked for since.
                    if let Some(letter) = letter.filter(|letter| letter.failure.as_ref() != Some(&failure)) {
                        (letter.failure, letter.retry) = (Some(failure), false);
                    }
                }
            }
        }
        let letters = |key| {
            let letters = self.subscriptions.get(&name).into_iter().flat_map(|one| one.letters.values());
            letters.filter(move |letter| letter.key == key).count()
        };
        touched.retain(|(_, key)| letters(*key) == 0);
        LettersSettled { free: touched.into_iter().collect(), refused: refused.into_iter().collect() }
    }

    pub(super) fn list_letters(&self, request: &ListLetters) -> Vec<Letter> {
        let is_behind = |letter: &&Letter| {
            let after = request.after.as_ref();
            after.is_none_or(|(name, place)| (&letter.subscription, letter.place) > (name, *place))
        };
        self.letters(&request.filter).filter(is_behind).take(size(request.limit)).cloned().collect()
    }

    pub(super) fn count_letters(&self, filter: &LetterFilter) -> u64 {
        count(self.letters(filter).count())
    }

    /// Those that are meant, by subscription and place.
    fn letters<'a>(&'a self, filter: &'a LetterFilter) -> impl Iterator<Item = &'a Letter> {
        let letters = self.subscriptions.values().flat_map(|subscription| subscription.letters.values());
        letters.filter(|letter| filter.matches(letter))
    }

    pub(super) fn retry_letters(&mut self, filter: &LetterFilter, limit: u32) -> Result<u64, PerformError> {
        self.check_filter(filter)?;
        let unasked = filter.asked(false);
        let meant = self.letters(&unasked).take(size(limit));
        let meant: Vec<_> = meant.map(|one| (one.subscription.clone(), one.key, one.place)).collect();
        let mut marked = 0;
        for (name, key, through) in meant {
            let Some(subscription) = self.subscriptions.get_mut(&name) else { continue };
            let queue = subscription.letters.range_mut(..=through).map(|(_, letter)| letter);
            let unasked = queue.filter(|letter| letter.key == key && !letter.retry);
            for letter in unasked.take(size(limit) - marked) {
                letter.retry = true;
                marked += 1;
            }
        }
        Ok(count(marked))
    }

    pub(super) fn cancel_retries(&mut self, filter: &LetterFilter, limit: u32) -> Result<u64, PerformError> {
        self.check_filter(filter)?;
        let asked = filter.asked(true);
        let letters =
            self.subscriptions.values_mut().flat_map(|subscription| subscription.letters.values_mut());
        let meant = letters.filter(|letter| asked.matches(letter)).take(size(limit));
        Ok(count(meant.map(|letter| letter.retry = false).count()))
    }

    pub(super) fn discard_letters(&mut self, filter: &LetterFilter, limit: u32) -> Result<u64, PerformError> {
        self.check_filter(filter)?;
        let meant = self.letters(filter).take(size(limit));
        let meant: Vec<_> = meant.map(|letter| (letter.subscription.clone(), letter.place)).collect();
        for (name, place) in &meant {
            self.subscriptions.get_mut(name).and_then(|subscription| subscription.letters.remove(place));
        }
        Ok(count(meant.len()))
    }

    pub(super) fn edit_letter(
        &mut self,
        name: &SubscriptionName,
        place: Place,
        data: Option<Json>,
    ) -> Result<u64, PerformError> {
        let subscription = self.subscriptions.get_mut(name);
        let subscription = subscription.ok_or_else(|| PerformError::SubscriptionNotFound(name.clone()))?;
        let letter = subscription.letters.get_mut(&place);
        let unknown = || PerformError::LetterNotFound { subscription: name.clone(), place };
        letter.ok_or_else(unknown)?.edited = data;
        Ok(1)
    }

    /// Whoever names a subscription, or a letter, means one that is there.
    fn check_filter(&self, filter: &LetterFilter) -> Result<(), PerformError> {
        let Some(name) = &filter.subscription else { return Ok(()) };
        let subscription = self.subscriptions.get(name);
        let subscription = subscription.ok_or_else(|| PerformError::SubscriptionNotFound(name.clone()))?;
        match filter.place {
            Some(place) if !subscription.letters.contains_key(&place) => {
                Err(PerformError::LetterNotFound { subscription: name.clone(), place })
            }
            _ => Ok(()),
        }
    }
}

impl Subscription {
    /// The first letter of each key, by place.
    pub(super) fn heads(&self) -> impl Iterator<Item = &Letter> {
        let mut seen = HashSet::new();
        self.letters.values().filter(move |letter| seen.insert(letter.key))
    }

    pub(super) fn letters_of(&self, partition: u32) -> impl Iterator<Item = &Letter> {
        self.letters.values().filter(move |letter| letter.partition == partition)
    }
}

fn letter(subscription: &SubscriptionName, new: NewLetter, replay: bool, parked_at: Timestamp) -> Letter {
    let NewLetter { lease, place, key, key_text, event_id, position, event_name, failure } = new;
    Letter {
        subscription: subscription.clone(),
        partition: lease.partition,
        place,
        key,
        key_text,
        event_id,
        position,
        event_name,
        failure,
        parked_at,
        retry: false,
        replay,
        edited: None,
    }
}
