//! The app_name app: items are put in and taken out, and those that are in it are listed.

mod settings;

use contracts::app_name::{List, Listed, Put, PutIn, Rejection, Take, TakenOut};
use serde::{Deserialize, Serialize};
use umbel_core::{
    Aggregate, Changes, Context, Decide, Decision, Document, Projection, RecordedEvent,
    document::{Collection, Direction, DocumentQuery},
};
use umbel_host::{App, AskError, ReadModels};

pub use settings::Settings;

/// What of it runs on the bus.
#[must_use]
pub fn app(settings: Settings) -> App {
    let list = move |models, _: List| list(models, settings.listed_max.get());
    App::new("app_name").aggregate::<Item>().projection::<Items>().query(list)
}

umbel_core::events! {
    /// What happens to an item.
    enum ItemEvent { PutIn(PutIn), TakenOut(TakenOut) }
}

/// What decisions about an item rest on: not in, at first.
#[derive(Default)]
struct Item {
    is_in: bool,
}

impl Aggregate for Item {
    const CATEGORY: &'static str = "app_name_item";
    type Event = ItemEvent;
    type Commands = (Put, Take);

    fn evolve(self, event: &ItemEvent) -> Self {
        Self { is_in: !matches!(event, ItemEvent::TakenOut(_)) }
    }
}

impl Decide<Put> for Item {
    fn identify(command: &Put) -> String {
        command.id.clone()
    }

    fn decide(&self, command: &Put, _: &Context<'_>) -> Result<Decision<ItemEvent, ()>, Rejection> {
        let Put { id, name } = command.clone();
        match name.trim() {
            "" => Err(Rejection::NameIsBlank),
            _ if self.is_in => Err(Rejection::IsIn),
            _ => Ok(ItemEvent::from(PutIn { id, name }).into()),
        }
    }
}

impl Decide<Take> for Item {
    fn identify(command: &Take) -> String {
        command.id.clone()
    }

    fn decide(&self, command: &Take, _: &Context<'_>) -> Result<Decision<ItemEvent, ()>, Rejection> {
        let Take { id } = command.clone();
        if self.is_in { Ok(ItemEvent::from(TakenOut { id }).into()) } else { Err(Rejection::IsNotIn) }
    }
}

/// An item as it is listed; its key is the id.
#[derive(Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "app_name.items")]
struct ItemDocument {
    #[index]
    name: String,
}

/// Keeps the items that are in.
struct Items;

impl Projection for Items {
    const NAME: &'static str = "app_name.items";
    type Event = ItemEvent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<ItemDocument>()]
    }

    fn project(event: ItemEvent, _: &RecordedEvent, changes: &mut Changes) {
        match event {
            ItemEvent::PutIn(PutIn { id, name }) => changes.put(id, ItemDocument { name }),
            ItemEvent::TakenOut(TakenOut { id }) => changes.delete::<ItemDocument>(id),
        }
    }
}

async fn list(models: ReadModels, listed_max: u32) -> Result<Vec<Listed>, AskError> {
    let by_name = DocumentQuery::of::<ItemDocument>().order_by("name", Direction::Forward);
    let found = models.query::<ItemDocument>(by_name.page(0, listed_max)).await?;
    Ok(found.documents.into_iter().map(|(id, ItemDocument { name })| Listed { id, name }).collect())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use umbel_testing::{
        TestUmbrella,
        aggregate::{given, given_nothing},
        projection::ReadModel,
        run,
    };

    use super::*;

    fn put(name: &str) -> Put {
        Put { id: "1".into(), name: name.into() }
    }

    fn put_in() -> PutIn {
        PutIn { id: "1".into(), name: "Lamp".into() }
    }

    #[test]
    fn an_item_is_put_in_once() {
        given_nothing::<Item>().when(put("Lamp")).then([put_in()]);
        given_nothing::<Item>().when(put(" ")).then_rejected(Rejection::NameIsBlank);
        given::<Item>([put_in()]).when(put("Lamp")).then_rejected(Rejection::IsIn);
    }

    #[test]
    fn what_is_in_can_be_taken_out() {
        given::<Item>([put_in()]).when(Take { id: "1".into() }).then([TakenOut { id: "1".into() }]);
        given_nothing::<Item>().when(Take { id: "1".into() }).then_rejected(Rejection::IsNotIn);
    }

    #[test]
    fn a_document_is_kept_while_its_item_is_in() {
        let model = ReadModel::<Items>::new().after("app_name_item-1", put_in());
        assert_eq!(model.document("1"), Some(ItemDocument { name: "Lamp".into() }));
        let model = model.after("app_name_item-1", TakenOut { id: "1".into() });
        assert_eq!(model.document::<ItemDocument>("1"), None);
    }

    /// The whole app, as it is declared, over a store in memory; its settings let one item be listed.
    #[test]
    fn those_that_are_in_are_listed() {
        run(async {
            let umbrella = TestUmbrella::of(app(Settings { listed_max: NonZeroU32::MIN })).await;
            umbrella.dispatch(put("Lamp")).await;
            umbrella.dispatch(Put { id: "2".into(), name: "Vase".into() }).await;
            assert_eq!(umbrella.ask(List).await, [Listed { id: "1".into(), name: "Lamp".into() }]);
            umbrella.dispatch(Take { id: "1".into() }).await;
            assert_eq!(umbrella.ask(List).await, [Listed { id: "2".into(), name: "Vase".into() }]);
            umbrella.stop().await;
        });
    }
}
