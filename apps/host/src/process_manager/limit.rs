//! How long an instance may take over an event, and what becomes of one over which it took longer.

use std::time::Duration;

use tokio::time::sleep;
use umbel_core::{
    Position, ProcessManager,
    process_manager::{Cause, File, Memory, Pending, Settled, Verdict, skip},
};
use uuid::Uuid;

use super::{
    clerk::{Clerk, Ended, Given, Known},
    storing::Written,
};

impl<P: ProcessManager> Clerk<'_, P> {
    /// Handles an event, whose place in the log is that of its dead letter if it becomes one. What takes longer than the limit is an
    /// attempt that failed.
    pub(super) async fn handle_within(
        &mut self,
        limit: Duration,
        given: &Given<'_, P::Event>,
        letter: Position,
    ) -> Result<(), Ended> {
        let mut memory = Memory::new();
        loop {
            tokio::select! {
                biased;
                ended = self.handle(given) => return ended,
                () = sleep(limit) => {}
            }
            // It was broken off at whatever point: what of it is stored, or on its way, is recognised.
            self.known = Known::Unread;
            let cause = given.origin.cause;
            let pending = self.left_of(cause).await?;
            let left = pending.as_ref().map_or(0, |pending| pending.orders.len());
            let (verdict, error) = self.judge(given, Cause::TookTooLong(limit), left, &mut memory).await?;
            match verdict {
                Verdict::Retry { after } => match pending {
                    Some(pending) => self.rest_between(&pending, after, (self.attempt, &error)).await?,
                    None => self.rest(given, after, &error).await?,
                },
                Verdict::Skip | Verdict::SkipRest | Verdict::Instead(_) => {
                    return self.leave_out(given).await;
                }
                Verdict::Park => {
                    self.settle_left(cause, Some(letter)).await?;
                    return Err(Ended::Parked(error));
                }
                Verdict::Stop { reason } => return Err(Ended::Stopped(reason)),
            }
            self.attempt = self.attempt.saturating_add(1);
        }
    }

    /// Has the event count as handled, and leaves out what is left of its commands.
    async fn leave_out(&mut self, given: &Given<'_, P::Event>) -> Result<(), Ended> {
        let cause = given.origin.cause;
        while !self.settle_left(cause, None).await? {
            let task = given.task(self.around);
            let skipped = skip::<P>(self.instance, self.file().await?, &task);
            match self.write(skipped).await? {
                Written::Now => return Ok(()),
                // What was broken off came to its end all the same.
                Written::Before => return self.settle_left(cause, None).await.map(drop),
                Written::Moved => {}
                Written::Refused(reason) => return Err(Ended::Stopped(reason)),
            }
        }
        Ok(())
    }

    /// Has the commands that are left of an event wait with its dead letter, or leaves them out; whether any are left.
    async fn settle_left(&mut self, cause: Uuid, letter: Option<Position>) -> Result<bool, Ended> {
        while let Some(pending) = self.left_of(cause).await? {
            let (left, stop) = (&pending.orders[..], pending.stop);
            let settled = match letter {
                Some(letter) => Settled::Parked { left, letter, stop },
                None if stop => Settled::Stopped,
                None => Settled::Done,
            };
            if self.settle(&pending, &settled).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn left_of(&mut self, cause: Uuid) -> Result<Option<Pending>, Ended> {
        let pending = |file: &File| file.pending_of(cause).cloned();
        Ok(self.file().await?.and_then(pending))
    }
}
