//! What decisions about an item rest on, and the decisions.

use anyhow::ensure;
use evento::{Executor, Projection, ProjectionAggregate, metadata::Event};

use crate::messages::{Item, PutIn, Rejection, TakenOut};

#[evento::projection(id = id)]
#[evento::snapshot(none)]
pub struct ItemState {
    id: String,
    is_in: bool,
}

#[evento::handler]
async fn on_put_in(_event: Event<PutIn>, item: &mut ItemState) -> anyhow::Result<()> {
    item.is_in = true;
    Ok(())
}

#[evento::handler]
async fn on_taken_out(_event: Event<TakenOut>, item: &mut ItemState) -> anyhow::Result<()> {
    item.is_in = false;
    Ok(())
}

pub struct Command<E: Executor>(pub E);

impl<E: Executor> Command<E> {
    async fn load(&self, id: &str) -> anyhow::Result<ItemState> {
        let item = Projection::new::<Item>().handler(on_put_in()).handler(on_taken_out()).strict();
        let item = item.load(id).execute(&self.0).await?.unwrap_or_default();
        Ok(ItemState { id: id.to_owned(), ..item })
    }

    pub async fn put(&self, id: &str, name: &str) -> anyhow::Result<()> {
        let item = self.load(id).await?;
        ensure!(!name.trim().is_empty(), Rejection::NameIsBlank);
        ensure!(!item.is_in, Rejection::IsIn);
        item.write()?.event(&PutIn { name: name.to_owned() }).commit(&self.0).await?;
        Ok(())
    }

    pub async fn take(&self, id: &str) -> anyhow::Result<()> {
        let item = self.load(id).await?;
        ensure!(item.is_in, Rejection::IsNotIn);
        item.write()?.event(&TakenOut).commit(&self.0).await?;
        Ok(())
    }
}
