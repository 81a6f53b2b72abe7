//! The bus alone, showing what it promises: round trips, a handle that survives its owner's failure, and a topic
//! whose slow subscriber delays nobody. Ends by itself, with 0 if all of it held.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler};
use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use umbel_bus::{
    Answered, Bus, BusSettings, Dispatch, DispatchError, DispatchOptions, Dispatched, Envelope, RouteSet,
};
use umbel_core::{Command, Notice};
use umbel_supervision::{Drain, Group, Policy, Supervisor, Tether, Worker};

/// How long round trips are counted.
const COUNTED_FOR: Duration = Duration::from_secs(1);
/// Callers at once, in the second count.
const CALLERS: u32 = 64;
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Adds to a sum, or fails on purpose.
#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "demo.add", reply = u64, rejection = String)]
enum Add {
    Number(u64),
    Fail,
}

/// A transient announcement.
#[derive(Clone, Debug)]
struct Tick(u64);

/// Owns [`Add`].
struct Adder {
    sum: u64,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

fn main() -> anyhow::Result<()> {
    // The one panic here is on purpose: a line for it is enough.
    std::panic::set_hook(Box::new(|panic| say(&format!("failure    {panic}"))));
    actix::System::new().block_on(async {
        let bus = Bus::new(BusSettings::default());
        let root = Group::new("umbel-bus", Policy::default())
            .child(umbel_bus::worker(&bus))
            .child(Group::new("demo", Policy::default()).child(adder(&bus)));
        let supervisor = Supervisor::start(root);
        supervisor.tree().wait_until_up(PATIENCE).await?;
        say(&format!("{}\n", supervisor.tree().snapshot()));
        round_trips(&bus).await?;
        survives_a_failure(&bus, &supervisor).await?;
        slow_subscriber(&bus).await?;
        say("everything held; stopping in order");
        supervisor.shut_down().await;
        Ok(())
    })
}

/// The owner of [`Add`] as a supervised actor.
fn adder(bus: &Bus) -> Worker {
    let bus = bus.clone();
    Worker::new("adder", move |context| {
        let bus = bus.clone();
        async move {
            let start = |tether| Adder { sum: 0, _tether: tether }.start();
            let register = async move |owner: actix::Addr<Adder>| {
                let routes = RouteSet::new("demo/adder").carries_out::<Add>(owner.recipient());
                anyhow::Ok(bus.register(routes).await?)
            };
            context.run_actor_once_up(start, register).await
        }
    })
}

async fn round_trips(bus: &Bus) -> anyhow::Result<()> {
    for callers in [1, CALLERS] {
        let begin = Instant::now();
        let calls = (0..callers).map(|_| async {
            let mut count = 0_u64;
            while begin.elapsed() < COUNTED_FOR {
                bus.dispatch(Add::Number(1)).await?;
                count += 1;
            }
            Ok::<_, DispatchError<String>>(count)
        });
        let count: u64 = futures_util::future::try_join_all(calls).await?.into_iter().sum();
        let per_second = u128::from(count) * 1000 / begin.elapsed().as_millis().max(1);
        say(&format!(
            "dispatch   {per_second} round trips per second to another thread, {callers} at a time"
        ));
    }
    Ok(())
}

async fn survives_a_failure(bus: &Bus, supervisor: &Supervisor) -> anyhow::Result<()> {
    say("failure    the owner panics now, on purpose:");
    let failed = bus.dispatch(Add::Fail).await.err().context("a panic cannot be answered")?;
    say(&format!("failure    the caller in flight was told: {failed}"));
    let begin = Instant::now();
    let options = DispatchOptions::default().deadline(PATIENCE);
    let after = bus.dispatch_with(Add::Number(7), options).await?;
    ensure!(after.reply == 7, "the new owner begins anew, so 0 + 7 is 7, not {}", after.reply);
    say(&format!(
        "failure    the same handle was answered by the owner's successor {:?} later",
        begin.elapsed()
    ));
    supervisor.tree().wait_until_up(PATIENCE).await?;
    say(&format!("\n{}\n", supervisor.tree().snapshot()));
    Ok(())
}

async fn slow_subscriber(bus: &Bus) -> anyhow::Result<()> {
    let (mut slow, mut quick) = (bus.listen::<Tick>().await?, bus.listen::<Tick>().await?);
    let count = 10 * u64::try_from(bus.settings().topic_capacity)?;
    let begin = Instant::now();
    let mut seen = 0;
    for number in 1..=count {
        bus.publish(Tick(number));
        let Tick(number) = quick.next().await.context("the topic is open")?;
        seen = number;
    }
    let took = begin.elapsed();
    let Tick(oldest) = slow.next().await.context("the topic is open")?;
    ensure!(seen == count && quick.missed() == 0, "the quick one missed {}", quick.missed());
    ensure!(slow.missed() == oldest - 1, "it missed {} before number {oldest}", slow.missed());
    say(&format!(
        "topic      {count} notices in {took:?}: a quick subscriber got all of them; one that slept"
    ));
    say(&format!("topic      missed {} and was told so, and goes on at number {oldest}", slow.missed()));
    Ok(())
}

/// To standard output. When nobody listens there any more, the demonstration goes on.
fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

impl Notice for Tick {
    const TOPIC: &'static str = "demo.tick";
}

impl Actor for Adder {
    type Context = Context<Self>;
}

impl Handler<Envelope<Dispatch<Add>>> for Adder {
    type Result = actix::MessageResult<Envelope<Dispatch<Add>>>;

    #[expect(clippy::panic, reason = "to show that it is survived")]
    fn handle(&mut self, envelope: Envelope<Dispatch<Add>>, _: &mut Self::Context) -> Self::Result {
        let answer: Answered<Dispatch<Add>> = envelope.open().map(|dispatch| match dispatch.command {
            Add::Number(number) => {
                self.sum += number;
                Ok(Dispatched::reply_only(self.sum))
            }
            Add::Fail => panic!("asked to"),
        });
        actix::MessageResult(answer)
    }
}

impl Handler<Drain> for Adder {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        actix::ActorContext::stop(context);
    }
}
