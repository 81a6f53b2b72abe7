//! What decisions about an item rest on, and the decisions.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::messages::{Command, Event, Rejection};

#[derive(Default, Serialize, Deserialize)]
pub struct Item {
    is_in: bool,
}

impl Aggregate for Item {
    const TYPE: &'static str = "shelf_item";
    type Command = Command;
    type Event = Event;
    type Error = Rejection;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Rejection> {
        let event = match command {
            Command::Put { name } if name.trim().is_empty() => return Err(Rejection::NameIsBlank),
            Command::Put { .. } if self.is_in => return Err(Rejection::IsIn),
            Command::Put { name } => Event::PutIn { name },
            Command::Take if self.is_in => Event::TakenOut,
            Command::Take => return Err(Rejection::IsNotIn),
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        self.is_in = matches!(event, Event::PutIn { .. });
    }
}
