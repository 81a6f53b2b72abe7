//! A library: who borrows a book is reminded of it.

use serde::{Deserialize, Serialize};
use umbel_core::{
    Aggregate, Changes, Command, Context, Decide, Decision, Document, Event, Lineage, Projection, Query,
    RecordedEvent, Upcast, document::Collection, events,
};
use umbel_host::{App, AskError, DispatchError, EventHandler, HandlerContext, HandlerStart, ReadModels};

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "library.borrow", rejection = String)]
pub(crate) struct Borrow {
    pub(crate) book: String,
    pub(crate) by: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "library.remind_of", rejection = String)]
struct Remind {
    book: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "library.borrowed", succeeds = [LENT])]
pub(crate) struct Borrowed {
    pub(crate) book: String,
    pub(crate) by: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "library.reminded")]
pub(crate) struct Reminded {
    pub(crate) book: String,
}

/// How many books somebody has.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(name = "library.get_loans", answer = Option<u32>)]
pub(crate) struct Loans {
    pub(crate) by: String,
}

events! { pub(crate) enum LibraryEvent { Borrowed(Borrowed), Reminded(Reminded) } }
events! { enum Lent { Borrowed(Borrowed) } }

#[derive(Default)]
struct Book {
    lent: bool,
}

#[derive(Debug, Serialize, Deserialize, Document)]
#[document(collection = "library.loans")]
struct Count(u32);

struct LoansOfAll;

struct Reminder;

pub(crate) fn app() -> App {
    App::new("library").aggregate::<Book>().projection::<LoansOfAll>().handler::<Reminder>().query(loans)
}

async fn loans(models: ReadModels, query: Loans) -> Result<Option<u32>, AskError> {
    Ok(models.get::<Count>(query.by).await?.map(|Count(count)| count))
}

/// What it was called when it told to whom.
const LENT: Lineage = Lineage::retired(
    "library.lent",
    &[|old| {
        let mut fields = old.fields()?;
        let by = fields.remove("to").ok_or("to nobody")?;
        fields.insert("by".to_owned(), by);
        Upcast::nothing().and("library.borrowed", 1, &fields)
    }],
);

impl Aggregate for Book {
    const CATEGORY: &'static str = "book";
    type Event = LibraryEvent;
    type Commands = (Borrow, Remind);

    fn evolve(self, event: &LibraryEvent) -> Self {
        match event {
            LibraryEvent::Borrowed(_) => Self { lent: true },
            LibraryEvent::Reminded(_) => self,
        }
    }
}

impl Decide<Borrow> for Book {
    fn identify(command: &Borrow) -> String {
        command.book.clone()
    }

    fn decide(&self, command: &Borrow, _: &Context<'_>) -> Result<Decision<LibraryEvent, ()>, String> {
        if self.lent {
            return Err("it is lent".to_owned());
        }
        let Borrow { book, by } = command.clone();
        Ok(LibraryEvent::from(Borrowed { book, by }).into())
    }
}

impl Decide<Remind> for Book {
    fn identify(command: &Remind) -> String {
        command.book.clone()
    }

    fn decide(&self, command: &Remind, _: &Context<'_>) -> Result<Decision<LibraryEvent, ()>, String> {
        Ok(LibraryEvent::from(Reminded { book: command.book.clone() }).into())
    }
}

impl Projection for LoansOfAll {
    const NAME: &'static str = "library.loans";
    type Event = Lent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Count>()]
    }

    fn project(Lent::Borrowed(Borrowed { by, .. }): Lent, _: &RecordedEvent, changes: &mut Changes) {
        changes.modify(by, |old: Option<Count>| Some(Count(old.map_or(1, |Count(count)| count + 1))));
    }
}

impl EventHandler for Reminder {
    const NAME: &'static str = "library.remind";
    type Event = Lent;
    type Error = DispatchError<String>;

    async fn init(_: &HandlerStart) -> Result<Self, Self::Error> {
        Ok(Self)
    }

    async fn handle(&mut self, event: Lent, context: &HandlerContext) -> Result<(), Self::Error> {
        let Lent::Borrowed(Borrowed { book, .. }) = event;
        context.dispatch(Remind { book }).await?;
        Ok(())
    }
}
