//! What the machine wants done with the store, and what became of it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use umbel_bus::Store;
use umbel_core::{
    Payload, Place, Position, RecordedEvent, StreamName, Version,
    document::Direction,
    store::{
        Checkpoint, KeepLeases, Lease, Letter, LettersSettled, NewLetter, ParkLetters, ReadAll, ReadError,
        ReadParkedKeys, ReadStream, SaveCheckpoints, Selector, SettleLetters, StoreError, TakeLetters,
    },
    subscription::{Due, Input, Item, Parking, SettledLetter, Settling, Source},
};

use super::{consumers::Event, spec::Spec};

/// A kind of work for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Fetch,
    Lease,
    Letters,
    Look,
    Park,
    ParkedKeys,
    Save,
    Settle,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fetch => "fetch",
            Self::Lease => "lease",
            Self::Letters => "letters",
            Self::Look => "look",
            Self::Park => "park",
            Self::ParkedKeys => "parked_keys",
            Self::Save => "save",
            Self::Settle => "settle",
        })
    }
}

/// What came of an effect.
pub(crate) struct Done {
    /// Which kind of work it was.
    pub(crate) work: Work,
    /// What the machine is told. Nothing when nothing is to be told.
    pub(crate) input: Option<Input<Event>>,
    /// Why it failed.
    pub(crate) trouble: Option<String>,
}

/// The store, on behalf of one subscription.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) store: Store,
    pub(crate) spec: Arc<Spec>,
}

impl Done {
    fn of<T>(
        work: Work,
        outcome: Result<T, impl ToString>,
        done: impl FnOnce(T) -> Input<Event>,
        failed: Input<Event>,
    ) -> Self {
        match outcome {
            Ok(value) => Self { work, input: Some(done(value)), trouble: None },
            Err(error) => Self { work, input: Some(failed), trouble: Some(error.to_string()) },
        }
    }
}

impl Backend {
    pub(crate) async fn lease(self, request: KeepLeases) -> Done {
        Done::of(Work::Lease, self.store.keep_leases(request).await, Input::Leased, Input::LeaseFailed)
    }

    pub(crate) async fn parked_keys(self, partition: u32, epoch: u64) -> Done {
        let request = ReadParkedKeys { subscription: self.spec.name.clone(), partition };
        let found = self.store.read_parked_keys(request).await;
        let failed = Input::ParkedKeysFailed { partition, epoch };
        Done::of(Work::ParkedKeys, found, |keys| Input::ParkedKeys { partition, epoch, keys }, failed)
    }

    pub(crate) async fn fetch(self, after: Place, limit: u32) -> Done {
        Done::of(Work::Fetch, self.page(after, limit).await, |page| page, Input::FetchFailed)
    }

    /// The same, if it was committed here just now: known at once, without a turn in which others are first.
    pub(crate) fn fetch_recent(&self, after: Place, limit: u32) -> Option<Input<Event>> {
        let Source::Log(selector) = &self.spec.source else { return None };
        let page = self.store.recent(&read_log(selector, after, limit))?;
        Some(self.fetched(page.events, Place::from(page.scanned_to).max(after), page.head.into()))
    }

    async fn page(&self, after: Place, limit: u32) -> Result<Input<Event>, StoreError> {
        let (events, scanned_to, head) = match &self.spec.source {
            Source::Log(selector) => {
                let page = self.store.read_all(read_log(selector, after, limit)).await?;
                (page.events, Place::from(page.scanned_to).max(after), page.head.into())
            }
            Source::Stream(stream) => {
                let request = ReadStream {
                    stream: stream.clone(),
                    from: Some(Version::new(after.get()).next()),
                    direction: Direction::Forward,
                    limit,
                };
                match self.store.read_stream(request).await {
                    Ok(page) => {
                        // Without events there is nothing behind, up to the end.
                        let last = page.events.last().map(|event| Place::from(event.version_read()));
                        let head = Place::from(page.version);
                        (page.events, last.unwrap_or(head).max(after), head)
                    }
                    // Nothing there, yet or any more.
                    Err(ReadError::StreamNotFound(_) | ReadError::StreamDeleted(_)) => {
                        (Vec::new(), after, after)
                    }
                    Err(ReadError::Store(error)) => return Err(error),
                }
            }
        };
        Ok(self.fetched(events, scanned_to, head))
    }

    fn fetched(&self, events: Vec<RecordedEvent>, scanned_to: Place, head: Place) -> Input<Event> {
        let items = events.into_iter().filter(|event| self.spec.wants(event)).map(|event| {
            let place = self.place_of(&event);
            Item { place, key: self.spec.key(&event), event: Arc::new(event) }
        });
        Input::Fetched { items: items.collect(), scanned_to, head }
    }

    fn place_of(&self, event: &RecordedEvent) -> Place {
        match &self.spec.source {
            Source::Log(_) => event.position.into(),
            Source::Stream(_) => event.version_read().into(),
        }
    }

    /// Looks how far that goes which is followed.
    pub(crate) async fn look(self) -> Done {
        let head = self.head().await;
        let input = head.as_ref().ok().map(|head| Input::Head(*head));
        Done { work: Work::Look, input, trouble: head.err().map(|error| error.to_string()) }
    }

    /// The last place there is.
    pub(crate) async fn head(&self) -> Result<Place, StoreError> {
        let stream = match &self.spec.source {
            Source::Log(_) => None,
            Source::Stream(stream) => Some(stream),
        };
        head(&self.store, stream).await
    }

    pub(crate) async fn save(self, checkpoints: Vec<Checkpoint>) -> Done {
        let request = SaveCheckpoints { subscription: self.spec.name.clone(), checkpoints };
        let saved = self.store.save_checkpoints(request).await;
        Done::of(Work::Save, saved, |refused| Input::Saved { refused }, Input::SaveFailed)
    }

    pub(crate) async fn park(self, parkings: Vec<Parking<Event>>) -> Done {
        let letters = parkings.into_iter().map(|parking| self.letter(parking)).collect();
        let request = ParkLetters { subscription: self.spec.name.clone(), letters };
        let parked = self.store.park_letters(request).await;
        Done::of(Work::Park, parked, |refused| Input::Parked { refused }, Input::ParkFailed)
    }

    fn letter(&self, parking: Parking<Event>) -> NewLetter {
        let Parking { partition, epoch, item, failure } = parking;
        NewLetter {
            lease: Lease { partition, epoch },
            place: item.place,
            key: item.key,
            key_text: self.spec.key_text(&item.event),
            event_id: item.event.id,
            position: item.event.position,
            event_name: item.event.event_type.name.clone(),
            failure,
        }
    }

    /// Takes letters that are due, each with its event. One whose event is gone is settled here: there is nothing left to handle.
    pub(crate) async fn letters(self, partitions: Vec<u32>, limit: u32, epochs: BTreeMap<u32, u64>) -> Done {
        let due = self.due(partitions, limit, &epochs).await;
        Done::of(Work::Letters, due, |letters| letters, Input::LettersFailed)
    }

    async fn due(
        &self,
        partitions: Vec<u32>,
        limit: u32,
        epochs: &BTreeMap<u32, u64>,
    ) -> Result<Input<Event>, StoreError> {
        let subscription = self.spec.name.clone();
        let letters = self.store.take_letters(TakeLetters { subscription, partitions, limit }).await?;
        let mut more = u32::try_from(letters.len()).is_ok_and(|found| found >= limit);
        let (mut due, mut gone, mut free) = (Vec::new(), Vec::new(), Vec::new());
        for letter in letters {
            match self.event_of(&letter).await? {
                Some(event) => due.push(Due {
                    partition: letter.partition,
                    item: Item { place: letter.place, key: letter.key, event: Arc::new(event) },
                    attempts: letter.failure.as_ref().map_or(0, |failure| failure.attempts),
                    first_at: letter.failure.map(|failure| failure.first_at),
                    replay: letter.replay,
                }),
                None => {
                    tracing::warn!(subscription = %self.spec.name, place = %letter.place,
                        event = %letter.event_id.0, "the event of a dead letter is gone; so is the letter");
                    let epoch = epochs.get(&letter.partition).copied().unwrap_or_default();
                    gone.push(SettledLetter {
                        partition: letter.partition,
                        epoch,
                        place: letter.place,
                        key: letter.key,
                        settling: Settling::Done,
                    });
                }
            }
        }
        if !gone.is_empty() {
            let subscription = self.spec.name.clone();
            let settled = self.store.settle_letters(SettleLetters { subscription, settled: gone }).await?;
            // The next ones of their keys may be due now. What was refused would only come again.
            more = settled.refused.is_empty();
            free = settled.free;
        }
        Ok(Input::Letters { due, free, more })
    }

    /// The event of a letter, with the data that an operator has put in its place.
    async fn event_of(&self, letter: &Letter) -> Result<Option<RecordedEvent>, StoreError> {
        let request = ReadAll {
            from: Some(letter.position),
            direction: Direction::Forward,
            limit: 1,
            selector: Selector::all(),
        };
        let found = self.store.read_all(request).await?.events.pop();
        Ok(found.filter(|event| event.id == letter.event_id).map(|mut event| {
            if let Some(edited) = &letter.edited {
                event.data = Payload::Json(edited.clone());
            }
            let version = Version::new(letter.place.get());
            if matches!(self.spec.source, Source::Stream(_)) && event.version != version {
                event.linked_at = Some(version);
            }
            event
        }))
    }

    pub(crate) async fn settle(self, settled: Vec<SettledLetter>) -> Done {
        let request = SettleLetters { subscription: self.spec.name.clone(), settled };
        let answer = self.store.settle_letters(request).await;
        let done = |done: LettersSettled| Input::Settled { free: done.free, refused: done.refused };
        Done::of(Work::Settle, answer, done, Input::SettleFailed)
    }
}

fn read_log(selector: &Selector, after: Place, limit: u32) -> ReadAll {
    ReadAll {
        from: Some(Position::new(after.get()).next()),
        direction: Direction::Forward,
        limit,
        selector: selector.clone(),
    }
}

/// The last place of a stream, or of the log.
pub(crate) async fn head(store: &Store, stream: Option<&StreamName>) -> Result<Place, StoreError> {
    let Some(stream) = stream else { return Ok(store.status().await?.head.into()) };
    match store.stream_info(stream.clone()).await {
        Ok(info) => Ok(info.version.into()),
        Err(ReadError::StreamNotFound(_) | ReadError::StreamDeleted(_)) => Ok(Place::START),
        Err(ReadError::Store(error)) => Err(error),
    }
}
