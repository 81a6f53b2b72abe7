//! Acts to their end: one step after the other, each a transaction of its own. See [`umbel_core::store::Removing`].

use umbel_core::{
    Timestamp,
    store::{Perform, PerformError, Performed, Step, StoreError},
};

use crate::adapter::Upkeep;

/// Places of a stream that one step of a removal takes, unless the settings say otherwise.
pub(crate) const REMOVAL_STEP_MAX: u32 = 1000;

/// Does an act, however many steps it takes. What another act of the same stream has begun is brought to its end before; if that removes
/// the same, it is the answer.
pub(crate) async fn to_the_end<A: Upkeep + ?Sized>(
    adapter: &A,
    request: Perform,
    now: impl Fn() -> Timestamp,
) -> Result<Performed, PerformError> {
    let mut current = request.clone();
    let mut begun = false;
    loop {
        match adapter.perform_step(current.clone(), now()).await {
            Ok(Step::Done(performed)) if current.id == request.id || request.act.removes_as(&current.act) => {
                return Ok(performed);
            }
            Ok(Step::Done(_)) => current = request.clone(),
            Ok(Step::More) => begun = true,
            Ok(Step::After(other)) => current = *other,
            Err(PerformError::Store(StoreError::Unavailable { reason })) if begun => {
                let reason = format!("a removal has begun and goes on when it is asked for again: {reason}");
                return Err(StoreError::OutcomeUnknown { reason }.into());
            }
            Err(error) => return Err(error),
        }
    }
}
