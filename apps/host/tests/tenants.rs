//! Tenants of one process: each an umbrella of its own, which the others do not notice.

use std::time::Duration;

use tempfile::TempDir;
use umbel_bus::{Bus, DispatchOptions, Halt, Middleware, Passage, ScheduleOptions, When};
use umbel_core::{
    Timestamp,
    store::{LetterFilter, ListLetters, ReadOutbox},
};
use umbel_host::{App, DispatchError, Foundation, Subscription, Tenancy, TenancyError, TreeView, subscribe};
use umbel_persistence::{StoreSettings, Tenants};
use umbel_settings::{LoadOptions, Settings};
use umbel_supervision::{Outcome, Restart, Supervisor, TreeNode, Worker};
use umbel_testkit::postgres::{TestPostgres, TestSchema};

use crate::{
    bank::{self, No, Rename, deposit},
    failures::until_letters,
    probe::{Act, Journal, Probe, parks_after, probes, scripted_on},
    world::*,
};

probes! { Clerk "house.clerk" => parks_after(0); }

/// An amount that the clerk cannot handle.
const PARKED: i64 = 13;

/// A process with the tenants of one place.
struct House {
    tenancy: Tenancy,
    stores: Tenants,
    /// Names of two tenants that are there.
    names: [String; 2],
    supervisor: Supervisor,
    view: TreeView,
    _place: Place,
}

#[expect(dead_code, reason = "gone with the test")]
enum Place {
    Directory(TempDir),
    Schemas(Vec<TestSchema>),
}

/// The tenant whose store cannot be opened.
const HOMELESS: &str = "homeless";

/// What a tenant does without.
fn mailer() -> Worker {
    Worker::new("mailer", |_| async { anyhow::bail!("no mail server") }).restart(Restart::Independent)
}

/// Notes on each command whose it is.
struct Owned(String);

impl Middleware for Owned {
    const NAME: &'static str = "owned";

    async fn before(&self, passage: &mut Passage) -> Result<(), Halt> {
        passage.context.metadata.custom.insert("tenant".into(), self.0.clone().into());
        Ok(())
    }
}

impl House {
    async fn at(url: &str, names: [String; 2], place: Place) -> Self {
        let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let overrides = vec![
            set("store.url", url),
            set("store.max_connections", "2"),
            set("store.poll_interval_ms", "10"),
            set("schedule.poll_ms", "10"),
            set("supervision.max_restarts", "1"),
            set("supervision.backoff_min_ms", "1"),
            set("supervision.backoff_max_ms", "5"),
        ];
        let environment = Some("test".to_owned());
        let options = LoadOptions { environment, overrides, ..LoadOptions::default() };
        let foundation = Foundation::from_settings(Settings::load(&options).unwrap()).unwrap();
        let stores = Tenants::at(&foundation.settings.section("store").unwrap());
        for name in &names {
            stores.create(name).await.unwrap();
        }
        let places = stores.clone();
        let tenancy = Tenancy::new("tenants", &foundation, move |foundation, umbrella| {
            let name = umbrella.name().to_owned();
            let store = match &*name {
                HOMELESS => {
                    StoreSettings { url: "sqlite:/dev/null/umbel.db".into(), ..StoreSettings::default() }
                }
                name => places.settings(name)?,
            };
            let bus = scripted_on(foundation.bus.clone(), |note| match note.amount {
                PARKED => Act::Fail,
                _ => Act::Handle,
            });
            let store = umbel_persistence::group(&store, &bus, foundation.policy());
            let clerks = App::new("house").handler::<Probe<Clerk>>();
            let umbrella = umbrella.with(mailer()).with(store).with_app(&bank::app()).with_app(&clerks);
            Ok(umbrella.with_middleware(Owned(name)))
        });
        tenancy.start(&names[0]).unwrap();
        let umbrella = foundation.umbrella("umbel").with(&tenancy);
        let (view, supervisor) = (umbrella.view(), umbrella.start());
        // One of them comes while the process runs.
        tenancy.start(&names[1]).unwrap();
        Self { tenancy, stores, names, supervisor, view, _place: place }
    }

    /// The world of one of the two.
    async fn world(&self, number: usize) -> World {
        let bus = self.tenancy.wait_until_up(&self.names[number], AMPLE).await.unwrap();
        World { bus, supervisor: self.supervisor.clone() }
    }

    async fn worlds(&self) -> [World; 2] {
        [self.world(0).await, self.world(1).await]
    }

    fn node(&self, name: &str) -> TreeNode {
        self.supervisor.tree().snapshot().find(&format!("tenants/{name}")).unwrap().clone()
    }
}

/// Runs a test in a process with tenants on SQLite, and in one with tenants on PostgreSQL.
fn in_every_house(test: &impl AsyncFn(&House)) {
    let lives = async |house: House| {
        test(&house).await;
        assert_eq!(house.supervisor.shut_down().await, Outcome::Stopped);
    };
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("umbel.db").display());
        lives(House::at(&url, ["one".into(), "two".into()], Place::Directory(directory)).await).await;
    });
    let server = TestPostgres::get().unwrap();
    let schemas = [server.fresh_schema(), server.fresh_schema()];
    let names = schemas.each_ref().map(|schema| schema.name().to_owned());
    run(async {
        lives(House::at(server.url(), names, Place::Schemas(schemas.into())).await).await;
    });
}

fn rename(account: &str, name: &str) -> Rename {
    Rename { account: account.into(), name: name.into() }
}

async fn letters(bus: &Bus) -> usize {
    let filter = LetterFilter::default();
    bus.store().list_letters(ListLetters { filter, after: None, limit: 100 }).await.unwrap().len()
}

async fn planned(bus: &Bus) -> usize {
    let request = ReadOutbox { queue: "schedule.bank".into(), after: 0, limit: 100 };
    bus.store().read_outbox(request).await.unwrap().len()
}

/// OP-16, PJ-04: given two tenants in one process with the same apps, then what is asked of one is in one alone: streams, documents, claims, dead
/// letters, what subscriptions get, what is planned, and what stands in the tree. CM-10: and middleware of one changes what it does alone.
#[test]
fn tenants_of_one_process_share_nothing() {
    in_every_house(&async |house| {
        let worlds = house.worlds().await;
        let [one, other] = &worlds;
        let strong = || DispatchOptions::default().strong();
        let subscription = || Subscription::named("house.reader").unwrap();
        let mut readers = [
            subscribe(&one.bus, subscription()).await.unwrap(),
            subscribe(&other.bus, subscription()).await.unwrap(),
        ];
        one.bus.dispatch_with(deposit("ada", 1), strong()).await.unwrap();
        one.bus.dispatch_with(deposit("ada", PARKED), DispatchOptions::default()).await.unwrap();
        other.bus.dispatch_with(deposit("ada", 100), strong()).await.unwrap();
        assert_eq!(until_letters(one, "house.clerk", 1).await.len(), 1);
        other.bus.common::<Journal>().until_done(1).await;
        assert_eq!((letters(&one.bus).await, letters(&other.bus).await), (1, 0));

        for (world, name, amounts) in
            [(one, &house.names[0], vec![1, PARKED]), (other, &house.names[1], vec![100])]
        {
            let history = world.history("ada").await;
            let told: Vec<i64> =
                history.iter().map(|event| event.data.decode::<bank::Deposited>().unwrap().amount).collect();
            assert_eq!(told, amounts);
            assert!(history.iter().all(|event| event.metadata.custom["tenant"] == **name), "{history:?}");
            assert_eq!(world.head().await.get(), u64::try_from(amounts.len()).unwrap());
            world.passed("bank.balances", world.head().await).await;
            assert_eq!(world.balance("ada").await.unwrap().balance, amounts.iter().sum::<i64>());
        }
        for (reader, expected) in readers.iter_mut().zip([2, 1]) {
            let mut got = 0;
            while got < expected {
                let batch = reader.next().await.unwrap();
                got += batch.events().len();
                batch.ack().await.unwrap();
            }
            assert_eq!(got, expected);
        }

        // One name in both, and twice in none.
        for world in &worlds {
            world.bus.dispatch(rename("ada", "countess")).await.unwrap();
            let taken = world.bus.dispatch(rename("eve", "countess")).await;
            assert_eq!(taken, Err(DispatchError::Rejected(No::NameTaken)));
        }

        let far = When::After(Duration::from_secs(3600));
        one.bus.schedule(deposit("ada", 1000), far, ScheduleOptions::default()).await.unwrap();
        assert_eq!((planned(&one.bus).await, planned(&other.bus).await), (1, 0));
        let past = When::At(Timestamp::from_micros(1_000_000));
        other.bus.schedule(deposit("bob", 7), past, ScheduleOptions::default()).await.unwrap();
        while other.history("bob").await.is_empty() {
            pause().await;
        }
        assert!(one.history("bob").await.is_empty());
        for reader in readers {
            reader.close().await;
        }
    });
}

/// OP-16: given one tenant that is stopped, or whose store is removed, then the other goes on; started again, it has what it had, or
/// nothing of what was removed.
#[test]
fn one_tenant_comes_and_goes_while_the_other_goes_on() {
    in_every_house(&async |house| {
        let worlds = house.worlds().await;
        let (going, [_, staying]) = (&house.names[0], &worlds);
        assert!(matches!(house.tenancy.start(going), Err(TenancyError::Started { name }) if name == *going));
        for world in &worlds {
            world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        }
        assert_eq!(house.tenancy.stop(going).await, Some(Outcome::Stopped));
        assert_eq!(house.tenancy.names(), [house.names[1].clone()]);
        let soon = DispatchOptions::default().deadline(SHORT);
        let unanswered = worlds[0].bus.dispatch_with(deposit("ada", 1), soon).await;
        assert!(unanswered.as_ref().is_err_and(|error| error.code() != "timeout"), "{unanswered:?}");
        assert!(house.tenancy.bus(going).is_none() && house.tenancy.stop(going).await.is_none());
        let gone = house.tenancy.wait_until_up(going, AMPLE).await;
        assert!(matches!(gone, Err(TenancyError::NotStarted { .. })), "{gone:?}");
        assert_eq!(staying.bus.dispatch(deposit("ada", 1)).await.unwrap().reply, 2);

        house.tenancy.start(going).unwrap();
        let again = house.world(0).await;
        assert_eq!(again.bus.dispatch(deposit("ada", 10)).await.unwrap().reply, 11);
        assert_eq!(house.tenancy.stop(going).await, Some(Outcome::Stopped));
        assert!(house.stores.drop(going).await.unwrap());
        assert_eq!(staying.bus.dispatch(deposit("ada", 1)).await.unwrap().reply, 3);

        house.stores.create(going).await.unwrap();
        house.tenancy.start(going).unwrap();
        let anew = house.world(0).await;
        assert_eq!(anew.bus.dispatch(deposit("ada", 1)).await.unwrap().reply, 1);
        assert_eq!(house.node(&house.names[1]).restarts, 0);
    });
}

/// OP-17: given an app of one tenant that fails beyond what its tenant bears, or a store that cannot be opened, then that tenant begins
/// anew, as often as it takes, and nothing of another one or of the process is restarted, or takes it for not ready.
#[test]
fn what_fails_in_one_tenant_disturbs_no_other() {
    in_every_house(&async |house| {
        let [one, other] = house.worlds().await;
        let failing = &house.names[0];
        house.tenancy.start(HOMELESS).unwrap();
        let mut balance = 0;
        while house.node(failing).restarts < 2 {
            // Whether it is there to panic, or just beginning anew.
            one.bus.inject_panic("bank/account").await;
            balance += 1;
            assert_eq!(other.bus.dispatch(deposit("ada", 1)).await.unwrap().reply, balance);
            pause().await;
        }
        assert_eq!(house.world(0).await.bus.dispatch(deposit("ada", 1)).await.unwrap().reply, 1);
        while house.node(HOMELESS).restarts < 2 {
            pause().await;
        }
        let not_up = house.tenancy.wait_until_up(HOMELESS, SHORT).await;
        assert!(matches!(not_up, Err(TenancyError::NotUp { .. })), "{not_up:?}");

        let tree = house.supervisor.tree().snapshot();
        let untouched = |node: &TreeNode| {
            fn restarts(node: &TreeNode) -> u32 {
                let needed = node.children.iter().filter(|child| child.restart != Restart::Independent);
                node.restarts + needed.map(restarts).sum::<u32>()
            }
            restarts(node) == 0
        };
        assert!(untouched(&house.node(&house.names[1])), "{tree}");
        assert!(["bus", "umbel.tree"].iter().all(|part| untouched(tree.find(part).unwrap())), "{tree}");
        assert_eq!(tree.find("tenants").unwrap().restarts, 0);
        assert_eq!(house.view.not_up(""), [""; 0]);
        assert_eq!(house.tenancy.stop(HOMELESS).await, Some(Outcome::Stopped));
    });
}

/// OP-17: given apps that contradict each other, or a store's settings that are wrong, then the tenant is not started, and that is said.
#[test]
fn a_tenant_that_cannot_be_put_together_is_not_started() {
    let options = LoadOptions { environment: Some("test".into()), ..LoadOptions::default() };
    let foundation = Foundation::from_settings(Settings::load(&options).unwrap()).unwrap();
    let tenancy = Tenancy::new("tenants", &foundation, |_, umbrella| match umbrella.name() {
        "twice" => Ok(umbrella.with_app(&bank::app()).with_app(&bank::app())),
        name => anyhow::bail!("no place for {name}"),
    });
    let twice = tenancy.start("twice").unwrap_err();
    assert!(matches!(&twice, TenancyError::DeclaredTwice(told) if told.name == "bank.transfer"), "{twice}");
    let none = tenancy.start("none").unwrap_err();
    assert_eq!(none.to_string(), "the tenant none cannot be put together");
    assert!(tenancy.names().is_empty() && tenancy.bus("none").is_none());
}
