//! What runs: the tables, the event store in them, and who keeps the list.

mod item;
mod items;
mod messages;

use evento::{
    Sqlite,
    migrator::{Migrate, Plan},
    subscription::Subscription,
};
use sqlx::SqlitePool;

pub use self::{item::Command, items::list, messages::Rejection};

pub async fn store(pool: &SqlitePool) -> anyhow::Result<Sqlite> {
    let migrations = evento::sql_migrator::new::<sqlx::Sqlite>()?;
    migrations.run(&mut *pool.acquire().await?, &Plan::apply_all()).await?;
    sqlx::migrate!().run(pool).await?;
    Ok(pool.clone().into())
}

pub async fn start(pool: &SqlitePool) -> anyhow::Result<(Command<Sqlite>, Subscription)> {
    let store = store(pool).await?;
    let items = items::items(pool).start(&store).await?;
    Ok((Command(store), items))
}

#[cfg(test)]
mod tests;
