//! Carries out the commands of an instance, in order.

use umbel_bus::{DispatchError, DispatchOptions};
use umbel_core::{
    Json, ProcessManager,
    process_manager::{Cause, CommandDone, CommandFailed, Memory, Onward, Order, Origin, Settled, Verdict},
};
use uuid::Uuid;

use super::{
    calls::{About, after_command, judge},
    clerk::{Clerk, Ended, Given},
};

impl<P: ProcessManager> Clerk<'_, P> {
    /// Carries out what is left of the commands that something led to. `given` is that something, where it is in hand.
    pub(super) async fn carry_out(
        &mut self,
        cause: Uuid,
        given: Option<&Given<'_, P::Event>>,
    ) -> Result<(), Ended> {
        let (mut next, mut attempt, mut memory) = (0, 1_u32, Memory::new());
        let mut onward = Onward::Stay;
        loop {
            given.map_or(Ok(()), Given::check)?;
            let pending = self.file().await?.and_then(|file| file.pending_of(cause)).cloned();
            let Some(pending) = pending else { return Ok(()) };
            let Some(order) = pending.orders.get(next) else { break };
            let failed = match self.dispatch(order, &pending.origin).await {
                Ok(reply) => {
                    let done = CommandDone { name: &order.name, reply: &reply };
                    let said = self.file().await?.map(|file| after_command::<P>(file, &done));
                    if said == Some(Onward::Stop) {
                        onward = Onward::Stop;
                    }
                    (next, attempt) = (next + 1, 1);
                    continue;
                }
                Err(failed) => failed,
            };
            let behind = pending.orders.len() - next - 1;
            let (verdict, error) =
                self.judge_command(cause, given, &failed, attempt, behind, &mut memory).await?;
            match verdict {
                Verdict::Retry { after } => {
                    self.pause(after).await?;
                    attempt = attempt.saturating_add(1);
                    continue;
                }
                Verdict::Skip => next += 1,
                Verdict::SkipRest => next = pending.orders.len(),
                Verdict::Instead(reaction) => {
                    self.settle(cause, &Settled::Instead(&reaction)).await?;
                    next = 0;
                }
                Verdict::Park if given.is_some_and(|given| given.recorded.is_some()) => {
                    let left = pending.orders.get(next..).unwrap_or_default();
                    self.settle(cause, &Settled::Parked { left }).await?;
                    return Err(Ended::Parked(error));
                }
                Verdict::Park => {
                    self.pause(self.around.pauses.max).await?;
                    continue;
                }
                Verdict::Stop { reason } => return Err(Ended::Stopped(reason)),
            }
            attempt = 1;
        }
        let settled = match onward {
            Onward::Stay => Settled::Done,
            Onward::Stop => Settled::Stopped,
        };
        self.settle(cause, &settled).await
    }

    /// What the instance says of a command that failed.
    async fn judge_command(
        &mut self,
        cause: Uuid,
        given: Option<&Given<'_, P::Event>>,
        failed: &CommandFailed,
        attempt: u32,
        pending: usize,
        memory: &mut Memory,
    ) -> Result<(Verdict, String), Ended> {
        let timer = given.and_then(Given::timer);
        let recorded = given.and_then(|given| given.recorded);
        let about = About { instance: Some(self.instance), recorded, timer, cause, attempt, pending };
        let policy = self.around.policy;
        Ok(judge::<P>(self.file().await?, &about, Cause::Command(failed), policy, memory))
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
        let options = if self.around.options.strong_commands { options.strong() } else { options };
        match self.around.bus.dispatch_encoded(&order.name, order.body.clone(), options).await {
            Ok(done) => Ok(done.reply),
            // It is stored and will stay so.
            Err(DispatchError::NotYetVisible { reply, .. }) => Ok(reply),
            Err(error) => {
                let (name, code, reason) = (order.name.clone(), error.code(), error.to_string());
                let rejection = match error {
                    DispatchError::Rejected(rejection) => Some(rejection),
                    _ => None,
                };
                Err(CommandFailed { name, code, reason, rejection })
            }
        }
    }
}
