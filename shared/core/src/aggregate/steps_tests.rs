//! Decisions in several steps.

use serde::{Deserialize, Serialize};

use super::*;
use crate::{Command, Context, Decide, Event, events};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "sum.added")]
struct Added(i64);

events! {
    #[derive(Clone, PartialEq)]
    enum SumEvent { Added(Added) }
}

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "sum.add", reply = i64, rejection = String)]
struct Add(i64);

#[derive(Clone, Debug, Default, PartialEq)]
struct Sum(i64);

impl Aggregate for Sum {
    const CATEGORY: &'static str = "sum";
    type Event = SumEvent;
    type Commands = (Add,);

    fn evolve(self, SumEvent::Added(Added(by)): &SumEvent) -> Self {
        Self(self.0 + by)
    }
}

impl Decide<Add> for Sum {
    fn identify(_: &Add) -> String {
        "s".to_owned()
    }

    fn decide(&self, &Add(by): &Add, _: &Context<'_>) -> Result<Decision<SumEvent, i64>, String> {
        if self.0 + by < 0 {
            return Err(format!("{} + {by} is below nothing", self.0));
        }
        Ok(Decision::new(vec![Added(by).into()], self.0 + by)
            .take("sum", &by.to_string())
            .release("sum", "old"))
    }
}

type Tried = Steps<Sum, String>;

fn numbers<X>(decision: &Decision<SumEvent, X>) -> Vec<i64> {
    decision.events.iter().map(|SumEvent::Added(Added(by))| *by).collect()
}

/// AG-10: given steps, then each sees the state after those before it, in a reduction too, and the state itself is not touched.
#[test]
fn later_steps_see_what_earlier_ones_led_to() {
    let sum = Sum(1);
    let decision = Tried::on(&sum)
        .then(|sum| Ok([Added(sum.0)]))
        .then(|sum| Ok([Added(sum.0), Added(100)]))
        .then(|_| Ok(None::<Added>))
        .reduce([1, 10], |sum, factor| Ok(vec![Added(sum.0 * factor)]))
        .reply(|sum| sum.0)
        .unwrap();
    assert_eq!(numbers(&decision), [1, 2, 100, 104, 2080]);
    assert_eq!((decision.reply, sum), (2288, Sum(1)));
    assert!(Tried::on(&Sum(1)).done().unwrap().events.is_empty());
}

/// AG-10: given names, then later steps find the states under them; those within nested steps do not leak, nor do they see others.
#[test]
fn named_steps_are_found_and_do_not_leak() {
    let decision = Tried::on(&Sum(0))
        .named("first", |_| Ok([Added(5)]))
        .nest(|inner| {
            let inner = inner.named("within", |_| Ok([Added(10)]));
            inner.then_knowing(|sum, named| {
                assert_eq!((named.after("first"), named.after("within")), (None, Some(&Sum(15))));
                Ok([Added(sum.0)])
            })
        })
        .then_knowing(|sum, named| {
            assert_eq!((named.after("first"), named.after("within")), (Some(&Sum(5)), None));
            Ok([Added(sum.0)])
        })
        .done()
        .unwrap();
    assert_eq!(numbers(&decision), [5, 10, 15, 30]);
}

/// AG-10: given an error in any step, then it is the outcome, everything is discarded and no later step runs.
#[test]
fn an_error_discards_all() {
    let never = |_: &Sum| -> Result<Vec<Added>, String> { unreachable!("behind an error") };
    let fails = |_: &Sum| Err::<Vec<Added>, _>("no".to_owned());
    let begun = || Tried::on(&Sum(1)).then(|_| Ok([Added(1)]));
    assert_eq!(begun().then(fails).then(never).done().unwrap_err(), "no");
    assert_eq!(begun().named("x", fails).named("y", never).done().unwrap_err(), "no");
    assert_eq!(
        begun().nest(|inner| inner.then(|_| Ok([Added(1)])).then(fails)).then(never).done().unwrap_err(),
        "no"
    );
    let counted =
        begun().reduce([1, 2, 3], |_, n| if n < 3 { Ok([Added(n)]) } else { Err("third".to_owned()) });
    assert_eq!(counted.then(never).done().unwrap_err(), "third");
}

/// AG-10: the decision of another command is a step as well, with its claims and its no.
#[test]
fn decisions_are_steps() {
    let mut ids = uuid::Uuid::nil;
    let context = Context::new(crate::Timestamp::from_micros(0), &mut ids);
    let decide = |steps: Tried, by| steps.decide(|sum| sum.decide(&Add(by), &context));
    let decision = decide(decide(Tried::on(&Sum(0)), 5), -5).reply(|sum| sum.0).unwrap();
    assert_eq!((numbers(&decision), decision.reply), (vec![5, -5], 0));
    assert_eq!(decision.take.iter().map(|claim| &*claim.value).collect::<Vec<_>>(), ["5", "-5"]);
    assert_eq!(decision.release.len(), 2);
    let refused = decide(decide(Tried::on(&Sum(0)), 5), -6).done().unwrap_err();
    assert_eq!(refused, "5 + -6 is below nothing");
}
