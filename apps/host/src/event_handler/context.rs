//! What a handler of events has at hand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use umbel_bus::{
    Bus, DispatchError, DispatchOptions, Dispatched, ScheduleError, ScheduleId, ScheduleOptions, When, edge,
};
use umbel_core::{
    Command, CommandId, Metadata, Place, RecordedEvent, Timestamp, message::first_name, schedule::derived,
    store::AppendError, subscription::Key,
};
use uuid::Uuid;

use crate::{event_handler::EventHandler, read_models::ReadModels, subscription::Delivered};

/// What a handler has at hand when it begins.
#[derive(Clone, Debug)]
pub struct HandlerStart {
    pub(super) bus: Bus,
    pub(super) head: Place,
    /// What ids of commands are made of instead of the handler's name, which may change.
    pub(super) kept_as: Arc<str>,
}

/// The surroundings of one event.
#[derive(Debug)]
pub struct HandlerContext {
    recorded: Arc<RecordedEvent>,
    place: Place,
    part: u32,
    attempt: u32,
    letter: bool,
    replay: bool,
    bus: Bus,
    handler: &'static str,
    kept_as: Arc<str>,
    /// By the name that they were first given, how many commands were dispatched for this event.
    dispatched: Counts,
    /// The same of those that were planned.
    planned: Counts,
}

/// How many there were, by name.
type Counts = Mutex<BTreeMap<&'static str, u32>>;

impl HandlerStart {
    /// The last place there was when the worker of the handler started.
    #[must_use]
    pub const fn head(&self) -> Place {
        self.head
    }

    /// The bus.
    #[must_use]
    pub const fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The read models.
    #[must_use]
    pub fn models(&self) -> ReadModels {
        ReadModels::new(self.bus.store(), self.bus.default_deadline())
    }
}

impl HandlerContext {
    pub(super) fn new<H: EventHandler>(start: &HandlerStart, delivered: &Delivered, part: u32) -> Self {
        Self {
            recorded: Arc::clone(&delivered.event),
            place: delivered.place,
            part,
            attempt: delivered.attempt,
            letter: delivered.letter,
            replay: delivered.replay,
            bus: start.bus.clone(),
            handler: H::NAME,
            kept_as: Arc::clone(&start.kept_as),
            dispatched: Mutex::default(),
            planned: Mutex::default(),
        }
    }

    /// The event as it was recorded: its position, time and metadata.
    #[must_use]
    pub fn recorded(&self) -> &RecordedEvent {
        &self.recorded
    }

    /// Its place in what the handler follows.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Which one it is of the events that the recorded one is to the handler, from 0. There is more than one only where the recorded event
    /// has an old shape of which upcasters make several. They are handled in order, and acknowledged together.
    #[must_use]
    pub const fn part(&self) -> u32 {
        self.part
    }

    /// Which attempt this is: 1 for the first.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether it is a dead letter that is tried again.
    #[must_use]
    pub const fn is_letter(&self) -> bool {
        self.letter
    }

    /// Whether the handler was done with the event before the subscription was reset: it is handled once more because somebody wants
    /// it to be. Judged by the furthest checkpoint that was known when leases were last renewed; an event that comes again after a
    /// crash is no replay, unless its checkpoint was still on its way then.
    #[must_use]
    pub const fn is_replay(&self) -> bool {
        self.replay
    }

    /// Dispatches a command because of this event: in its conversation, with the event as its cause, and with an id that depends on
    /// the handler, the event, and how many commands of this type came before. So when the event is handled again, the command is
    /// not carried out again: its first reply comes back.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn dispatch<C: Command>(
        &self,
        command: C,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        let options = self.options().command_id(self.next_id::<C>());
        self.bus.dispatch_with(command, options).await
    }

    /// Plans a command for later because of this event: in its conversation, with the event as its cause, and under an id that depends on
    /// the handler, the event, and how many commands of this type were planned before. So when the event is handled again, nothing more
    /// is planned, also when the command was carried out by then.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub async fn schedule<C: Command>(
        &self,
        command: C,
        when: When,
        options: ScheduleOptions,
    ) -> Result<ScheduleId, ScheduleError> {
        // Not the id that a dispatch would have: under that a command is looked for that is carried out now.
        let once = CommandId(derived(self.numbered::<C>(&self.planned).0, 0));
        let event = self.recorded.id.0;
        let correlation_id = Some(self.recorded.metadata.correlation_id.unwrap_or(event));
        let metadata = Metadata { correlation_id, causation_id: Some(event), ..Metadata::default() };
        self.bus.schedule(command, when, options.in_context(&metadata).once(once)).await
    }

    /// Takes back what is planned; whether it still waited.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn cancel_schedule(&self, id: ScheduleId) -> Result<bool, AppendError> {
        self.bus.cancel_schedule(id).await
    }

    /// Options for [`Bus::dispatch_with`], for a dispatch because of this event: in its conversation, with the event as its cause.
    /// Where they ask for strong consistency, this handler is not waited for. They say no id: handled again, the event leads to
    /// another command.
    #[must_use]
    pub fn options(&self) -> DispatchOptions {
        let event = self.recorded.id.0;
        let conversation = self.recorded.metadata.correlation_id.unwrap_or(event);
        DispatchOptions::default().correlation_id(conversation).caused_by(event).within(&[self.handler])
    }

    /// The id that [`Self::dispatch`] would give to the next command of this type.
    pub fn next_id<C: Command>(&self) -> CommandId {
        self.numbered::<C>(&self.dispatched)
    }

    /// The next id of this type, by a count of them.
    fn numbered<C: Command>(&self, counts: &Counts) -> CommandId {
        let command = first_name::<C>();
        let number = {
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(command).or_default();
            *count += 1;
            *count
        };
        let part = if self.part == 0 { String::new() } else { format!("/{}", self.part) };
        let text = format!("{} {}{part} {command} {number}", self.kept_as, self.recorded.id.0);
        let half = |salt: &str| u128::from(Key::of(&format!("{salt} {text}")).to_i64().cast_unsigned());
        CommandId(Uuid::from_u128((half("first") << 64) | half("second")))
    }

    /// The bus.
    #[must_use]
    pub const fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The read models.
    #[must_use]
    pub fn models(&self) -> ReadModels {
        ReadModels::new(self.bus.store(), self.bus.default_deadline())
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.bus.clock().now()
    }

    /// An id nobody has used.
    #[must_use]
    pub fn fresh_id(&self) -> Uuid {
        edge::fresh_id()
    }
}
