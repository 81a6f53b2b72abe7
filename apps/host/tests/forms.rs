//! The forms that a decision may be given in.

use serde::{Deserialize, Serialize};
use umbel_core::{
    Aggregate, Command, Context, Decide, Decision, Event, Steps, StreamName, Version, document::Direction,
    events, store::ReadStream,
};
use umbel_host::App;

use crate::world::{World, run, settings};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Form {
    Decision,
    Event,
    Maybe,
    List,
    Array,
    Steps,
}

const FORMS: [Form; 6] = [Form::Decision, Form::Event, Form::Maybe, Form::List, Form::Array, Form::Steps];

/// Counts up by one, or not.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "forms.count", rejection = String)]
struct Count {
    counter: String,
    form: Form,
    up: bool,
}

/// Counts up by two, and tells to where.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "forms.count_twice", reply = u32, rejection = String)]
struct CountTwice {
    counter: String,
    form: Form,
}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "forms.counted")]
struct Counted {
    to: u32,
}

events! {
    #[derive(Clone)]
    enum CounterEvent { Counted(Counted) }
}

#[derive(Clone, Default)]
struct Counter(u32);

impl Aggregate for Counter {
    const CATEGORY: &'static str = "counter";
    type Event = CounterEvent;
    type Commands = (Count, CountTwice);

    fn evolve(self, CounterEvent::Counted(Counted { to }): &CounterEvent) -> Self {
        Self(*to)
    }
}

impl Decide<Count> for Counter {
    fn identify(command: &Count) -> String {
        command.counter.clone()
    }

    fn decide(&self, command: &Count, _: &Context<'_>) -> Result<Decision<CounterEvent, ()>, String> {
        let event = CounterEvent::from(Counted { to: self.0 + 1 });
        let none: [CounterEvent; 0] = [];
        Ok(match (command.form, command.up) {
            (Form::Decision, true) => Decision::new(vec![event], ()),
            (Form::Decision, false) => Decision::nothing(()),
            (Form::Event, true) => event.into(),
            (Form::Event | Form::Maybe, up) => up.then_some(event).into(),
            (Form::List, true) => vec![event].into(),
            (Form::List, false) => vec![].into(),
            (Form::Array, true) => [event].into(),
            (Form::Array, false) => none.into(),
            (Form::Steps, up) => {
                return Steps::on(self).then(|_| Ok(up.then_some(event))).done();
            }
        })
    }
}

impl Decide<CountTwice> for Counter {
    fn identify(command: &CountTwice) -> String {
        command.counter.clone()
    }

    fn decide(&self, command: &CountTwice, _: &Context<'_>) -> Result<Decision<CounterEvent, u32>, String> {
        let to = self.0 + 2;
        let events = || [self.0 + 1, to].map(|to| CounterEvent::from(Counted { to })).to_vec();
        Ok(match command.form {
            Form::Decision => Decision::new(events(), to),
            Form::Steps => {
                return Steps::on(self)
                    .then(|counter: &Self| Ok([Counted { to: counter.0 + 1 }]))
                    .then(|counter| Ok([Counted { to: counter.0 + 1 }]))
                    .reply(|counter| counter.0);
            }
            _ => (events(), to).into(),
        })
    }
}

/// What is stored of a counter: versions, types and data.
async fn stored(world: &World, counter: &str) -> Vec<(u64, String, String)> {
    let stream = StreamName::of("counter", counter).unwrap();
    let request = ReadStream { stream, from: None, direction: Direction::Forward, limit: 100 };
    let events = world.bus.store().read_stream(request).await.unwrap().events;
    let told = events.into_iter().map(|event| {
        (event.version.get(), event.event_type.to_string(), event.data.as_json().unwrap().as_str().to_owned())
    });
    told.collect()
}

/// AG-01: given each allowed form of a decision, when executed, then the same is stored and answered.
#[test]
fn all_forms_of_a_decision_are_stored_alike() {
    run(async {
        let apps = [App::new("forms").aggregate::<Counter>()];
        let world = World::with(&std::sync::Arc::default(), &apps, settings()).await;
        let mut all = Vec::new();
        for form in FORMS {
            let counter = format!("{form:?}");
            let count = |up| Count { counter: counter.clone(), form, up };
            let up = world.bus.dispatch(count(true)).await.unwrap();
            let nothing = world.bus.dispatch(count(false)).await.unwrap();
            let twice = world.bus.dispatch(CountTwice { counter: counter.clone(), form }).await.unwrap();
            assert_eq!([up.version, nothing.version], [Some(Version::new(1)); 2], "{form:?}");
            assert_eq!((twice.reply, twice.version), (3, Some(Version::new(3))), "{form:?}");
            all.push(stored(&world, &counter).await);
        }
        let event = |number: u64| (number, "forms.counted/1".to_owned(), format!(r#"{{"to":{number}}}"#));
        assert_eq!(all, vec![(1..=3).map(event).collect::<Vec<_>>(); FORMS.len()]);
        world.stop().await;
    });
}
