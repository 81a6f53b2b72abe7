//! What a decision may be made of: whatever says best what happened. All forms of one outcome are the same decision.

use crate::aggregate::Decision;

/// These events, in order.
impl<E> From<Vec<E>> for Decision<E, ()> {
    fn from(events: Vec<E>) -> Self {
        Self::new(events, ())
    }
}

/// These events, in order.
impl<E, const N: usize> From<[E; N]> for Decision<E, ()> {
    fn from(events: [E; N]) -> Self {
        Self::new(events.into(), ())
    }
}

/// This event.
impl<E> From<E> for Decision<E, ()> {
    fn from(event: E) -> Self {
        Self::new(vec![event], ())
    }
}

/// This event, or none.
impl<E> From<Option<E>> for Decision<E, ()> {
    fn from(event: Option<E>) -> Self {
        Self::new(event.into_iter().collect(), ())
    }
}

/// These events, and an answer.
impl<E, R> From<(Vec<E>, R)> for Decision<E, R> {
    fn from((events, reply): (Vec<E>, R)) -> Self {
        Self::new(events, reply)
    }
}

/// This event, and an answer.
impl<E, R> From<(E, R)> for Decision<E, R> {
    fn from((event, reply): (E, R)) -> Self {
        Self::new(vec![event], reply)
    }
}
