//! Claims are taken by those who held them.

use futures_util::future::join_all;
use umbel_core::store::AppendError;

use super::{
    Import,
    batch::Held,
    refusals::{GOES_ON, foreign, stopped_at},
};
use crate::{
    progress::Progress,
    tool::{Done, Stop},
};

impl Import<'_> {
    /// Takes claims. What stands in an owner's way is told, and the next ones are taken all the same.
    pub(super) async fn claims(&mut self, claims: &[Held], progress: &mut Progress) -> Done {
        let Some(first) = claims.first() else { return Ok(()) };
        if self.others > 0 {
            return Err(foreign(self.others, first.number));
        }
        let outcomes = join_all(claims.iter().map(async |held| {
            self.patience.bear(async || self.tool.store().append(held.append()).await).await
        }));
        for (outcome, Held { number, claim }) in outcomes.await.into_iter().zip(claims) {
            match outcome {
                Ok(_) => self.counts.claims += 1,
                Err(error @ AppendError::Claimed { .. }) => {
                    self.counts.claims_held_by_others += 1;
                    progress.say(&format!("line {number}: {error} here, and by {} there", claim.owner));
                }
                Err(AppendError::Store(error)) => {
                    return Err(Stop::from(error).while_at(|| format!("line {number}: {GOES_ON}")));
                }
                Err(error) => return Err(stopped_at(*number, &error.to_string())),
            }
        }
        Ok(())
    }
}
