//! The reply of a command that a function carries out, kept for when the command comes again.
//!
//! Its parts are commands with ids and kept replies of their own. That of the whole is recorded, under an id of its own, once
//! the function has answered. A crash in between lets the function run again, with its parts' first replies: no part happens twice, and then
//! there is a reply that is kept.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use umbel_bus::{DispatchContext, DispatchError, Dispatched, Store};
use umbel_core::{
    Command, CommandId, Json, Position,
    store::{Append, Appended, CommandRecord},
};

use crate::deciding::{check_name, read, recorded, told_again};

/// The place of a command's reply, if its caller has chosen its id.
pub(crate) struct Keeping {
    store: Store,
    id: CommandId,
}

/// What a caller is told again. The positions of its parts are in their records; this one has none of its own.
#[derive(Serialize, Deserialize)]
struct Kept<R> {
    reply: R,
    position: Option<Position>,
    /// The command's name.
    #[serde(default)]
    command: Option<Cow<'static, str>>,
}

impl Keeping {
    /// Under this id; `None` for a command that cannot come again.
    pub(crate) fn of(store: &Store, context: &DispatchContext, id: CommandId) -> Option<Self> {
        context.idempotent.then(|| Self { store: store.clone().by(context.deadline), id })
    }

    /// The first reply, if the command was carried out before.
    ///
    /// # Errors
    /// When the store does not say, or the reply is none of this command.
    pub(crate) async fn find<C: Command>(
        &self,
    ) -> Result<Option<Dispatched<C::Reply>>, DispatchError<C::Rejection>> {
        let recorded = recorded::<C>(&self.store, self.id).await?;
        recorded.map(|(kept, _)| first::<C>(&kept)).transpose()
    }

    /// Keeps the reply; the outcome is that of whoever was first.
    ///
    /// # Errors
    /// When it cannot be kept: then the command shall come again.
    pub(crate) async fn keep<C: Command>(
        &self,
        done: Dispatched<C::Reply>,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        let command = Some(C::NAME.into());
        let kept = Json::encode(&Kept { reply: &done.reply, position: done.position, command });
        let reply = kept.map_err(|error| DispatchError::Failed {
            reason: format!("the reply to {} cannot be kept: {error}", C::NAME),
        })?;
        let command = Some(CommandRecord { id: self.id, reply });
        match self.store.append(Append { command, ..Append::default() }).await {
            Ok(Appended { repeated: Some(kept), .. }) => first::<C>(&kept),
            Ok(_) => Ok(done),
            Err(error) => Err(DispatchError::from_append(C::NAME, &error)),
        }
    }
}

fn first<C: Command>(first: &Json) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
    let Kept { reply, position, command } = read::<C, _>(first)?;
    command.map_or(Ok(()), |command| check_name::<C>(&command))?;
    Ok(told_again(reply, position))
}
