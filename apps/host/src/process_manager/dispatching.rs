//! Carries out the commands of an instance, in order.

use std::time::Duration;

use umbel_bus::{Consistency, DispatchError, DispatchOptions};
use umbel_core::{
    Json, ProcessManager,
    process_manager::{
        Cause, CommandDone, CommandFailed, Memory, Onward, Order, Origin, Pending, Settled, Verdict,
    },
};
use uuid::Uuid;

use super::{
    calls::{About, after_command, by_policy, judge},
    clerk::{Clerk, Ended, Given, Known},
};

/// On whose behalf commands are carried out.
pub(super) enum Behalf<'a, 'b, E> {
    /// The event or timer that led to them, which is in hand.
    Given(&'a Given<'b, E>),
    /// Something else for the instance, which comes after them.
    Next,
    /// A reminder that nobody has dispatched them in time. It comes again.
    Reminder,
}

/// How far the commands have come.
struct Progress {
    pending: Pending,
    /// The next one's place among them.
    next: usize,
    attempt: u32,
    /// Whether the instance ends with them.
    stop: bool,
}

impl Progress {
    const fn of(pending: Pending) -> Self {
        let stop = pending.stop;
        Self { pending, next: 0, attempt: 1, stop }
    }
}

impl<'a, 'b, E> Behalf<'a, 'b, E> {
    const fn given(&self) -> Option<&'a Given<'b, E>> {
        match self {
            Self::Given(given) => Some(given),
            Self::Next | Self::Reminder => None,
        }
    }
}

impl<P: ProcessManager> Clerk<'_, P> {
    /// Carries out what is left of the commands that something led to, for as long as it is not settled by somebody else.
    pub(super) async fn carry_out(
        &mut self,
        cause: Uuid,
        behalf: Behalf<'_, '_, P::Event>,
    ) -> Result<(), Ended> {
        let (given, mut memory, mut known) = (behalf.given(), Memory::new(), None::<Progress>);
        let mut replaced = 0;
        loop {
            given.map_or(Ok(()), Given::check)?;
            let pending = self.file().await?.and_then(|file| file.pending_of(cause));
            // Those that wait with a dead letter are its event's.
            let pending = pending.filter(|pending| !pending.parked || given.is_some()).cloned();
            let Some(pending) = pending else { return Ok(()) };
            // What was ordered in their place begins with the first.
            let mut now = match known.take() {
                Some(progress) if progress.pending == pending => progress,
                _ => Progress::of(pending),
            };
            let Some(order) = now.pending.orders.get(now.next) else {
                let settled = if now.stop { Settled::Stopped } else { Settled::Done };
                if self.settle(&now.pending, &settled).await? {
                    return Ok(());
                }
                continue;
            };
            let failed = match self.dispatch(order, &now.pending.origin).await {
                Ok(reply) => {
                    let done = CommandDone { name: self.called(order), reply: &reply };
                    let said = self.file().await?.map(|file| after_command::<P>(file, &done));
                    now.stop |= said == Some(Onward::Stop);
                    (now.next, now.attempt) = (now.next + 1, 1);
                    known = Some(now);
                    continue;
                }
                Err(failed) => failed,
            };
            let (verdict, error) = self.judge_command(&now, given, &failed, &mut memory).await?;
            let (attempt, stop) = (now.attempt, now.stop);
            now.attempt = 1;
            match verdict {
                Verdict::Retry { after } => {
                    self.rest_between(&now.pending, after, (attempt, &error)).await?;
                    now.attempt = attempt.saturating_add(1);
                }
                // Put down: after a crash it would be carried out behind the others.
                Verdict::Skip => {
                    let left = now.pending.orders.get(now.next + 1..).unwrap_or_default();
                    let settled = match left {
                        [] if stop => Settled::Stopped,
                        [] => Settled::Done,
                        left => Settled::Left { left, stop },
                    };
                    self.settle(&now.pending, &settled).await?;
                    continue;
                }
                Verdict::SkipRest => now.next = now.pending.orders.len(),
                Verdict::Instead(reaction) => {
                    // What takes the place of what took a place, and so on, may have no end.
                    if replaced > 0 {
                        self.pause(self.around.pauses.after(replaced, cause)).await?;
                    }
                    replaced += 1;
                    self.settle(&now.pending, &Settled::Instead { reaction: &reaction, stop }).await?;
                }
                Verdict::Park if let Some(recorded) = given.and_then(|given| given.recorded) => {
                    let letter = recorded.position;
                    let left = now.pending.orders.get(now.next..).unwrap_or_default();
                    if self.settle(&now.pending, &Settled::Parked { left, letter, stop }).await? {
                        return Err(Ended::Parked(error));
                    }
                }
                Verdict::Park if now.pending.origin.timer && !failed.is_passing() => {
                    let left = now.pending.orders.get(now.next..).unwrap_or_default();
                    let (manager, instance, command) = (P::NAME, self.instance, self.called(order));
                    tracing::error!(
                        manager,
                        instance,
                        command,
                        error,
                        "what a timer led to cannot be a dead letter; its commands are kept as failed"
                    );
                    let now_at = self.around.bus.clock().now();
                    let settled = Settled::GivenUp { left, error: &error, now: now_at, stop };
                    self.settle(&now.pending, &settled).await?;
                    continue;
                }
                // Whoever has the event decides, and the reminder comes again.
                Verdict::Park if matches!(behalf, Behalf::Reminder) => {
                    let max = self.around.pauses.max;
                    self.put_off(now.pending.reminder, None, max, (attempt, &error)).await;
                    return Ok(());
                }
                Verdict::Park => {
                    self.rest_between(&now.pending, self.around.pauses.max, (attempt, &error)).await?;
                    now.attempt = attempt;
                }
                Verdict::Stop { reason } => return Err(Ended::Stopped(reason)),
            }
            known = Some(now);
        }
    }

    /// Waits between two attempts at a command. By then somebody else may have settled it.
    pub(super) async fn rest_between(
        &mut self,
        pending: &Pending,
        time: Duration,
        failed: (u32, &str),
    ) -> Result<(), Ended> {
        if !pending.parked {
            self.put_off(pending.reminder, None, time, failed).await;
        }
        self.pause(time).await?;
        self.known = Known::Unread;
        Ok(())
    }

    /// What the instance says of a command that failed.
    async fn judge_command(
        &mut self,
        progress: &Progress,
        given: Option<&Given<'_, P::Event>>,
        failed: &CommandFailed,
        memory: &mut Memory,
    ) -> Result<(Verdict, String), Ended> {
        let (attempt, cause) = (progress.attempt, progress.pending.origin.cause);
        let pending = progress.pending.orders.len().saturating_sub(progress.next + 1);
        let timer = given.and_then(Given::timer);
        let recorded = given.and_then(|given| given.recorded);
        let about = About { instance: Some(self.instance), recorded, timer, cause, attempt, pending };
        let policy = self.around.policy;
        let said = judge::<P>(self.file().await?, &about, Cause::Command(failed), policy, memory);
        let (Verdict::Instead(reaction), _) = &said else { return Ok(said) };
        let Some(reason) = reaction.unencodable() else { return Ok(said) };
        let (manager, instance) = (P::NAME, self.instance);
        tracing::error!(manager, instance, reason, "what should take a command's place cannot be stored");
        let error = format!("{}; what should take its place cannot be stored: {reason}", said.1);
        Ok((by_policy(policy, cause, attempt, &error), error))
    }

    /// What a command is called today, which may have waited under another name.
    fn called<'a>(&self, order: &'a Order) -> &'a str {
        self.around.bus.command_name(&order.name).unwrap_or(&order.name)
    }

    /// Dispatches a command under its id; its reply, the first one if it was carried out before.
    async fn dispatch(&self, order: &Order, origin: &Origin) -> Result<Json, CommandFailed> {
        let options = DispatchOptions::default()
            .command_id(order.id)
            .correlation_id(origin.correlation_id)
            .caused_by(origin.causation_id())
            .within(&[P::NAME]);
        let options =
            origin.custom.iter().fold(options, |options, (key, value)| options.metadata(key, value.clone()));
        let strong = self.around.options.strong_commands;
        let options = options.consistency(if strong { Consistency::Strong } else { Consistency::Eventual });
        match self
            .around
            .bus
            .dispatch_encoded(&order.name, order.schema, order.body.json().clone(), options)
            .await
        {
            Ok(done) => Ok(done.reply),
            // It is stored and will stay so.
            Err(DispatchError::NotYetVisible { reply, .. }) => Ok(reply),
            Err(error) => {
                let (name, code, reason) = (self.called(order).to_owned(), error.code(), error.to_string());
                let rejection = match error {
                    DispatchError::Rejected(rejection) => Some(rejection),
                    _ => None,
                };
                Err(CommandFailed { name, code, reason, rejection })
            }
        }
    }
}
