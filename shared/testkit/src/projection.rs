//! Tests of projections without a store: events in, documents out.
//!
//! ```ignore
//! let model = ReadModel::<Users>::new()
//!     .after("account-1", Registered { .. })
//!     .after("account-1", UsernameChanged { .. });
//! assert_eq!(model.document::<UserDocument>("1").unwrap().username, "Jacob");
//! ```
//!
//! Of a projection with tables of its own there are the [statements](ReadModel::statements) that it asks for. What these do only PostgreSQL tells.
//!
//! Promises: events and documents go through their stored form, positions and versions are assigned as a log
//! would (a rule that is inline is told no position), and a write into a collection that the projection does not own fails the test, as does a
//! statement that a store would refuse before it came to the database.

#![allow(clippy::panic, reason = "a failed expectation of a test is a panic")]

use std::{collections::BTreeMap, marker::PhantomData, time::Duration};

use umbel_core::{
    Changes, Document, Event, EventId, EventType, Json, Metadata, Mode, Position, Projection, RecordedEvent,
    Sql, StreamName, Timestamp, Version, document::DocumentKey, tables,
};
use uuid::Uuid;

use crate::aggregate::NOW;

/// The documents of a projection after some events. The first event is recorded at [`NOW`], each later one a
/// second after the one before.
#[must_use]
pub struct ReadModel<P> {
    documents: BTreeMap<DocumentKey, Json>,
    statements: Vec<Sql>,
    versions: BTreeMap<StreamName, Version>,
    last: Position,
    now: Timestamp,
    projection: PhantomData<P>,
}

impl<P: Projection> Default for ReadModel<P> {
    fn default() -> Self {
        Self {
            documents: BTreeMap::new(),
            statements: Vec::new(),
            versions: BTreeMap::new(),
            last: Position::START,
            now: NOW,
            projection: PhantomData,
        }
    }
}

impl<P: Projection> ReadModel<P> {
    /// Before the first event: no documents.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it becomes by the next event of the log. One that the projection does not listen to only takes a
    /// position.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event that has happened belongs to the log; tests read better so"
    )]
    pub fn after<E: Event>(mut self, stream: &str, event: E) -> Self {
        let mut recorded = self.record(stream, &event);
        if P::MODE == Mode::Inline {
            // What is applied with the append does not know it yet.
            recorded.position = Position::START;
        }
        match recorded.decode::<P::Event>() {
            Ok(events) => {
                let mut changes = Changes::default();
                events.into_iter().for_each(|event| P::project(event, &recorded, &mut changes));
                self.note(changes.take_statements());
                self.apply(changes);
            }
            Err(error) => panic!("the projection cannot read {event:?}: {error}"),
        }
        self
    }

    /// The document with this key.
    #[track_caller]
    pub fn document<D: Document>(&self, key: &str) -> Option<D> {
        let key = DocumentKey { collection: D::COLLECTION, key: key.to_owned() };
        self.documents.get(&key).map(decode)
    }

    /// All documents of a collection, sorted by key.
    #[track_caller]
    pub fn documents<D: Document>(&self) -> Vec<(String, D)> {
        let of_it = self.documents.iter().filter(|(key, _)| key.collection == D::COLLECTION);
        of_it.map(|(key, body)| (key.key.clone(), decode(body))).collect()
    }

    /// The statements over tables of its own that the last event led to, in their order; `after` the next one there are only that one's.
    #[must_use]
    pub fn statements(&self) -> &[Sql] {
        &self.statements
    }

    #[track_caller]
    fn note(&mut self, statements: Vec<Sql>) {
        if !statements.is_empty() {
            assert!(!P::tables().is_empty(), "{} has statements, and declares no table", P::NAME);
            tables::creation(&P::tables()).unwrap_or_else(|error| panic!("{}: {error}", P::NAME));
        }
        for statement in &statements {
            statement.check_change().unwrap_or_else(|error| panic!("{}: {error}", P::NAME));
        }
        self.statements = statements;
    }

    #[track_caller]
    fn record(&mut self, stream: &str, event: &impl Event) -> RecordedEvent {
        let stream = StreamName::new(stream).unwrap_or_else(|error| panic!("{error}"));
        let version = self.versions.entry(stream.clone()).or_insert(Version::START);
        *version = version.next();
        self.last = self.last.next();
        let recorded = recorded(self.last.get(), stream, *version, self.now, event);
        self.now = self.now.plus(Duration::from_secs(1));
        recorded
    }

    #[track_caller]
    fn apply(&mut self, changes: Changes) {
        let keys = changes.keys();
        for key in &keys {
            let owned = P::collections().iter().any(|collection| collection.name == key.collection);
            assert!(owned, "{} writes to {}, which it does not declare", P::NAME, key.collection);
        }
        let loaded =
            keys.iter().filter_map(|key| Some((key.clone(), self.documents.get(key)?.clone()))).collect();
        let writes = changes.apply(loaded).unwrap_or_else(|error| panic!("{}: {error}", P::NAME));
        for (key, write) in keys.into_iter().zip(writes) {
            assert_eq!(
                (key.collection, &key.key),
                (write.collection.as_str(), &write.key),
                "one write per key"
            );
            match write.body {
                Some(body) => self.documents.insert(key, body),
                None => self.documents.remove(&key),
            };
        }
    }
}

/// An event as a log has it at this position.
#[track_caller]
fn recorded<E: Event>(
    position: u64,
    stream: StreamName,
    version: Version,
    recorded_at: Timestamp,
    event: &E,
) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(position),
        stream,
        version,
        id: EventId(Uuid::from_u128(u128::from(position))),
        event_type: EventType::of::<E>(),
        recorded_at,
        data: event.to_payload().unwrap_or_else(|error| panic!("{event:?} cannot be encoded: {error}")),
        subject: event.subject(),
        tags: event.tags(),
        metadata: Metadata::default(),
        linked_at: None,
    }
}

#[track_caller]
fn decode<D: Document>(body: &Json) -> D {
    body.decode()
        .unwrap_or_else(|error| panic!("{} holds {body}, which cannot be read: {error}", D::COLLECTION))
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde::{Deserialize, Serialize};
    use umbel_core::{Table, document::Collection, events};

    use super::*;

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "bank.paid")]
    struct Paid {
        amount: u32,
    }

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "bank.closed")]
    struct Closed;

    events! { enum Listened { Paid(Paid) } }

    #[derive(Debug, PartialEq, Serialize, Deserialize, Document)]
    #[document(collection = "bank.totals")]
    struct Total {
        amount: u32,
        last: (Position, Version),
    }

    struct Totals;
    impl Projection for Totals {
        const NAME: &'static str = "bank.totals";
        type Event = Listened;

        fn collections() -> Vec<Collection> {
            vec![Collection::of::<Total>()]
        }

        fn project(Listened::Paid(paid): Listened, recorded: &RecordedEvent, changes: &mut Changes) {
            let last = (recorded.position, recorded.version);
            changes.modify(recorded.stream.id(), move |total: Option<Total>| {
                let amount = total.map_or(0, |total| total.amount) + paid.amount;
                (amount > 0).then_some(Total { amount, last })
            });
        }
    }

    struct InlineTotals;
    impl Projection for InlineTotals {
        const NAME: &'static str = "bank.inline_totals";
        const MODE: Mode = Mode::Inline;
        type Event = Listened;

        fn collections() -> Vec<Collection> {
            Totals::collections()
        }

        fn project(event: Listened, recorded: &RecordedEvent, changes: &mut Changes) {
            Totals::project(event, recorded, changes);
        }
    }

    /// PJ-09: an inline rule is tested as any other, and is told as little as when it is applied.
    #[test]
    fn an_inline_rule_is_told_no_position() {
        let model = ReadModel::<InlineTotals>::new()
            .after("account-a", Paid { amount: 1 })
            .after("account-a", Paid { amount: 2 });
        assert_eq!(model.document("a"), Some(Total { amount: 3, last: (Position::START, Version::new(2)) }));
    }

    #[test]
    fn events_add_up_in_log_order() {
        let model = ReadModel::<Totals>::new()
            .after("account-a", Paid { amount: 1 })
            .after("account-b", Closed)
            .after("account-b", Paid { amount: 5 })
            .after("account-a", Paid { amount: 2 });
        assert_eq!(model.document("a"), Some(Total { amount: 3, last: (Position::new(4), Version::new(2)) }));
        assert_eq!(model.documents::<Total>().len(), 2);
        assert!(model.after("account-c", Paid { amount: 0 }).document::<Total>("c").is_none());
    }

    /// Keeps what was paid in a table; told to pay 13, it says what no store takes.
    struct Payments<const DECLARED: bool>;
    impl<const DECLARED: bool> Projection for Payments<DECLARED> {
        const NAME: &'static str = "bank.payments";
        type Event = Listened;

        fn collections() -> Vec<Collection> {
            Vec::new()
        }

        fn tables() -> Vec<Table> {
            if DECLARED { vec![Table::new("payments", "account text, amount bigint")] } else { Vec::new() }
        }

        fn project(
            Listened::Paid(Paid { amount }): Listened,
            recorded: &RecordedEvent,
            changes: &mut Changes,
        ) {
            let text = if amount == 13 { "DROP TABLE payments" } else { INSERT };
            changes.sql(Sql::new(text).bind(recorded.stream.id()).bind(amount));
        }
    }

    const INSERT: &str = "INSERT INTO payments VALUES ($1, $2)";

    /// PJ-06: given a projection with tables, then a test says which statements each event leads to; one that a store would refuse fails it.
    #[test]
    fn statements_are_told_event_by_event() {
        let model = ReadModel::<Payments<true>>::new()
            .after("account-a", Paid { amount: 1 })
            .after("account-b", Paid { amount: 2 });
        assert_eq!(model.statements(), [Sql::new(INSERT).bind("b").bind(2)]);
        assert_eq!(model.after("account-b", Closed).statements(), []);
        let refused = || drop(ReadModel::<Payments<true>>::new().after("account-a", Paid { amount: 13 }));
        assert!(catch_unwind(refused).is_err());
        let undeclared = || drop(ReadModel::<Payments<false>>::new().after("account-a", Paid { amount: 1 }));
        assert!(catch_unwind(undeclared).is_err());
    }

    struct Careless;
    impl Projection for Careless {
        const NAME: &'static str = "bank.careless";
        type Event = Listened;

        fn collections() -> Vec<Collection> {
            Vec::new()
        }

        fn project(event: Listened, recorded: &RecordedEvent, changes: &mut Changes) {
            Totals::project(event, recorded, changes);
        }
    }

    #[test]
    fn a_write_to_an_undeclared_collection_fails() {
        let written = || drop(ReadModel::<Careless>::new().after("account-a", Paid { amount: 1 }));
        assert!(catch_unwind(written).is_err());
    }
}
