//! Boundaries: rules over events of several streams, which are found together by their tags.

use crate::{
    aggregate::{Context, Decision},
    event::EventSet,
    message::Command,
    store::ClaimName,
    tags::TagQuery,
};

/// What a boundary decides: what happens, with the answer to the caller, or the domain's rejection.
pub type Decided<B> = Result<
    Decision<<B as Boundary>::Event, <<B as Boundary>::Command as Command>::Reply>,
    <<B as Boundary>::Command as Command>::Rejection,
>;

/// A dynamic consistency boundary: how one kind of command is decided that concerns more than one stream, such as a student's
/// subscription to a course, of which neither may have too many.
///
/// The command says which events matter, by their tags; the state is their fold; and what is decided on it is stored only if no
/// further such event was stored meanwhile. So commands that concern different events do not hinder each other, whatever
/// streams these are in.
///
/// Where one stream knows all that a rule needs, an [`Aggregate`](crate::Aggregate) is simpler and stays in memory: here the events
/// are read for each command, so a query is to be about few of them.
pub trait Boundary: Sized + Send + 'static {
    /// The command that is decided.
    type Command: Command;
    /// What it is decided by, and what happens. Each kind that matters has tags: see [`Event::tags`](crate::Event::tags).
    type Event: EventSet;
    /// Category of the stream that its events are put into, which is named `category-id`. Without `-`.
    const CATEGORY: &'static str;

    /// The stream that its events are put into: the part of its name after the category. Whoever else writes to it does not
    /// matter to the decision.
    fn identify(command: &Self::Command) -> String;

    /// Which events matter. An item that names no events is about those of [`Self::Event`].
    ///
    /// What is decided must be among what the query is about: else two of the same command at once do not know of each other.
    fn query(command: &Self::Command) -> TagQuery;

    /// The state before any event, with what is needed of the command to tell whose events they are.
    fn begin(command: &Self::Command) -> Self;

    /// The state after an event, in the order of the log. Facts are not argued with: this cannot fail.
    #[must_use]
    fn evolve(self, event: &Self::Event) -> Self;

    /// What happens, or why nothing does. Called again on fresh state when another writer was faster.
    ///
    /// # Errors
    /// The domain's rejection.
    fn decide(&self, command: &Self::Command, context: &Context<'_>) -> Decided<Self>;

    /// The rejection to answer when a claim the decision wanted belongs to somebody else: claims are taken for the stream.
    /// `None`, the default, leaves it an error of the dispatch.
    #[must_use]
    fn claimed(command: &Self::Command, claim: &ClaimName) -> Option<<Self::Command as Command>::Rejection> {
        let _unused = (command, claim);
        None
    }
}
