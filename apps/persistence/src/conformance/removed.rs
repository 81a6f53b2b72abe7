//! A log of which much was removed for good.

use umbel_bus::edge;
use umbel_core::{
    ExpectedVersion,
    store::{Act, Removal},
};
use umbel_testkit::conformance::{Events, stream};

use crate::Adapter;

/// Streams that come and go.
const STREAMS: usize = 12;

/// Appends one event each to streams that are then removed for good, and after each of those one to the stream `kept-1`: what is at odd
/// positions is gone.
pub(crate) async fn fill(store: &dyn Adapter) {
    let (events, now) = (Events::default(), edge::now());
    let names: Vec<_> = (0..STREAMS).map(|number| format!("gone-{number}")).collect();
    for name in &names {
        for name in [name.as_str(), "kept-1"] {
            let append = events.append(name, ExpectedVersion::Any, 1);
            store.append(vec![append], now).await.remove(0).unwrap();
        }
    }
    for name in &names {
        let expected = ExpectedVersion::Any;
        let act = Act::DeleteStream { stream: stream(name), expected, removal: Removal::Hard };
        store.perform(events.perform(act), now).await.unwrap();
    }
}

/// What is told once the event at position 6 is gone, too.
pub(crate) const TOLD: &str = "13 are missing and 12 were removed, so 1 more than may be; nothing is at 1, 3, 5 to 7, 9, 11, 13, 15, 17, 19, \
                               21, 23, of which any may be what was removed: the findings of versions name streams that lack events";
