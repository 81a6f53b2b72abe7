//! The domain of these tests: accounts with a balance and a unique name.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use umbel_core::{
    Aggregate, Changes, Command, Context, Decide, Decision, Document, Event, Position, Projection, Query,
    RecordedEvent,
    document::Collection,
    events,
    store::{ClaimName, State},
};
use umbel_host::{App, AskError, Committed, DispatchError, Handling, ReadModels};
use uuid::Uuid;

/// Amounts that make the fussy projection fail, each in its own way.
pub(crate) const PANICS_IN_RULE: i64 = 666;
pub(crate) const PANICS_IN_CHANGE: i64 = 777;

/// An amount that makes the fussy projection fail while it sulks. One test says when it does.
pub(crate) const PANICS_WHILE_SULKING: i64 = 555;
pub(crate) static SULKS: AtomicBool = AtomicBool::new(false);

/// Curses that are in force: evolving by one of these panics.
static CURSES: Mutex<Option<HashSet<Uuid>>> = Mutex::new(None);

/// Instances of [`CountedAlive`] in memory. One test counts them; no other may make any.
pub(crate) static COUNTED_ALIVE: AtomicUsize = AtomicUsize::new(0);

macro_rules! messages {
    ($($kind:ident $name:literal $message:ident { $($field:ident: $type:ty),* } -> $reply:ty;)*) => {$(
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub(crate) struct $message { $(pub(crate) $field: $type),* }
        messages!(@ $kind $name $message $reply);
    )*};
    (@ command $name:literal $message:ident $reply:ty) => {
        impl Command for $message {
            const NAME: &'static str = $name;
            type Reply = $reply;
            type Rejection = No;
        }
    };
    (@ query $name:literal $message:ident $reply:ty) => {
        impl Query for $message {
            const NAME: &'static str = $name;
            type Answer = $reply;
        }
    };
    (@ event $name:literal $message:ident $reply:ty) => {
        impl Event for $message {
            const NAME: &'static str = $name;
        }
    };
}

messages! {
    command "bank.deposit" Deposit { account: String, amount: i64 } -> i64;
    command "bank.withdraw" Withdraw { account: String, amount: i64 } -> i64;
    command "bank.rename" Rename { account: String, name: String } -> ();
    command "bank.curse" Curse { account: String, id: Uuid } -> ();
    command "bank.misbehave" Misbehave { account: String, how: PanicIn } -> ();
    command "bank.transfer" Transfer { from: String, to: Vec<String>, amount: i64 } -> i64;
    command "bank.scatter" Scatter { to: Vec<String>, amount: i64 } -> i64;
    command "bank.open" Open { account: String, amount: i64 } -> Uuid;
    command "bank.counted" Counted { account: String } -> ();
    query "bank.balance" GetBalance { account: String } -> Option<Balance>;
    query "bank.later" GetLater { } -> u64;
    query "bank.broken" Broken { hang: bool } -> ();
    event "bank.deposited" Deposited { amount: i64 } -> ();
    event "bank.withdrawn" Withdrawn { amount: i64 } -> ();
    event "bank.renamed" Renamed { name: String } -> ();
    event "bank.cursed" Cursed { id: Uuid } -> ();
    event "bank.counted" WasCounted { } -> ();
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum No {
    #[error("only {balance} there")]
    Insufficient { balance: i64 },
    #[error("another account has that name")]
    NameTaken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PanicIn {
    Identify,
    Decide,
    Claimed,
}

events! {
    #[derive(Clone)]
    pub(crate) enum AccountEvent {
        Deposited(Deposited),
        Withdrawn(Withdrawn),
        Renamed(Renamed),
        Cursed(Cursed),
    }
}

events! {
    pub(crate) enum CountedEvent { WasCounted(WasCounted) }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) balance: i64,
    pub(crate) name: Option<String>,
}

impl State for Account {
    const NAME: &'static str = "bank.account";
    const SCHEMA: u32 = 2;
}

/// An aggregate that knows how many of its kind are in memory.
pub(crate) struct CountedAlive;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Document)]
#[document(collection = "bank.balances")]
pub(crate) struct Balance {
    pub(crate) balance: i64,
    /// How many events led to it: an effect that happened twice shows.
    pub(crate) events: u64,
}

/// The balances.
pub(crate) struct Balances;

/// The balances by the next version of their rule, in which an event counts tenfold.
pub(crate) struct NextBalances;

/// The number of deposits, for those who do not mind some amounts.
pub(crate) struct Fussy;

/// The number of deposits, by a rule that minds some amounts from its second version on.
pub(crate) struct FussyLater<const VERSION: u32>;

#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "bank.later")]
pub(crate) struct LaterDeposits {
    count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Document)]
#[document(collection = "bank.deposits")]
pub(crate) struct Deposits {
    pub(crate) count: u64,
}

events! {
    pub(crate) enum Moved { Deposited(Deposited), Withdrawn(Withdrawn) }
}

events! {
    pub(crate) enum OnlyDeposits { Deposited(Deposited) }
}

pub(crate) fn app() -> App {
    App::new("bank")
        // Before the aggregate on purpose: the order of declaration must not matter to what is in flight at the end.
        .command(transfer)
        .command(scatter)
        .aggregate::<Account>()
        .aggregate::<CountedAlive>()
        .projection::<Balances>()
        .query(get_balance)
        .query(broken)
}

/// The bank, with somebody who is told of what the balances have committed.
pub(crate) fn told(tell: impl Fn(Vec<Position>) + Clone + Send + Sync + 'static) -> App {
    let tell = move |committed: Committed<Moved>| {
        let positions = committed.events.iter().map(|(_, recorded)| recorded.position).collect();
        let tell = tell.clone();
        async move { tell(positions) }
    };
    App::new("bank").aggregate::<Account>().projection_then::<Balances, _, _>(tell).query(get_balance)
}

/// The bank after an upgrade, told likewise.
pub(crate) fn next_told(tell: impl Fn(Vec<Position>) + Clone + Send + Sync + 'static) -> App {
    let tell = move |committed: Committed<Moved>| {
        tell(committed.events.iter().map(|(_, recorded)| recorded.position).collect());
        std::future::ready(())
    };
    App::new("bank").aggregate::<Account>().projection_then::<NextBalances, _, _>(tell).query(get_balance)
}

/// The bank, with somebody who passes on the first deposit, strongly, and tells where that went.
pub(crate) fn passes_on(tell: impl Fn(Vec<Position>) + Clone + Send + Sync + 'static) -> App {
    let pass_on = move |committed: Committed<Moved>| {
        let tell = tell.clone();
        async move {
            if committed.events.iter().any(|(_, recorded)| recorded.position.get() == 1) {
                let done = committed.bus.dispatch_with(deposit("eve", 1), committed.options().strong()).await;
                tell(Vec::from_iter(done.unwrap().position));
            }
        }
    };
    App::new("bank").aggregate::<Account>().projection_then::<Balances, _, _>(pass_on).query(get_balance)
}

/// The bank, with somebody who is told and never done with it.
pub(crate) fn told_slowly() -> App {
    let hang = |_: Committed<Moved>| std::future::pending();
    App::new("bank").aggregate::<Account>().projection_then::<Balances, _, _>(hang).query(get_balance)
}

pub(crate) fn fussy_later<const VERSION: u32>() -> App {
    App::new("fussy_later").projection::<FussyLater<VERSION>>().query(get_later)
}

async fn get_later(models: ReadModels, _: GetLater) -> Result<u64, AskError> {
    Ok(models.get::<LaterDeposits>("all").await?.map_or(0, |later| later.count))
}

pub(crate) fn fussy() -> App {
    App::new("fussy").projection::<Fussy>()
}

/// The bank after an upgrade.
pub(crate) fn next_app() -> App {
    App::new("bank").aggregate::<Account>().projection::<NextBalances>().query(get_balance)
}

pub(crate) fn curse(id: Uuid) {
    CURSES.lock().unwrap().get_or_insert_default().insert(id);
}

pub(crate) fn lift_curse(id: Uuid) {
    CURSES.lock().unwrap().get_or_insert_default().remove(&id);
}

pub(crate) fn deposit(account: &str, amount: i64) -> Deposit {
    Deposit { account: account.into(), amount }
}

pub(crate) fn withdraw(account: &str, amount: i64) -> Withdraw {
    Withdraw { account: account.into(), amount }
}

/// From one account to several: one part after the other.
async fn transfer(handling: Handling, command: Transfer) -> Result<i64, DispatchError<No>> {
    let total = command.amount * i64::try_from(command.to.len()).unwrap();
    let left = handling.dispatch(Withdraw { account: command.from, amount: total }).await?;
    for account in command.to {
        handling.dispatch(Deposit { account, amount: command.amount }).await?;
    }
    Ok(left)
}

/// To several accounts: all parts at once.
async fn scatter(handling: Handling, command: Scatter) -> Result<i64, DispatchError<No>> {
    let parts =
        command.to.into_iter().map(|account| handling.dispatch(Deposit { account, amount: command.amount }));
    Ok(futures_util::future::try_join_all(parts).await?.into_iter().sum())
}

async fn get_balance(models: ReadModels, query: GetBalance) -> Result<Option<Balance>, AskError> {
    models.get(query.account).await
}

/// Panics, before there is even a future, or never answers.
fn broken(_: ReadModels, Broken { hang }: Broken) -> impl Future<Output = Result<(), AskError>> {
    assert!(hang, "told to panic");
    std::future::pending()
}

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Event = AccountEvent;
    type Commands = (Deposit, Withdraw, Rename, Curse, Misbehave);

    fn evolve(mut self, event: &AccountEvent) -> Self {
        match event {
            AccountEvent::Deposited(Deposited { amount }) => self.balance += amount,
            AccountEvent::Withdrawn(Withdrawn { amount }) => self.balance -= amount,
            AccountEvent::Renamed(Renamed { name }) => self.name = Some(name.clone()),
            AccountEvent::Cursed(Cursed { id }) => {
                let cursed = CURSES.lock().unwrap().get_or_insert_default().contains(id);
                assert!(!cursed, "cursed");
            }
        }
        self
    }
}

type Decided<R> = Result<Decision<AccountEvent, R>, No>;

impl Decide<Deposit> for Account {
    fn identify(command: &Deposit) -> String {
        command.account.clone()
    }

    /// A deposit of nothing is nothing.
    fn decide(&self, &Deposit { amount, .. }: &Deposit, _: &Context<'_>) -> Decided<i64> {
        if amount == 0 {
            return Ok(Decision::nothing(self.balance));
        }
        Ok(Decision::new(vec![Deposited { amount }.into()], self.balance + amount))
    }
}

impl Decide<Withdraw> for Account {
    fn identify(command: &Withdraw) -> String {
        command.account.clone()
    }

    fn decide(&self, &Withdraw { amount, .. }: &Withdraw, _: &Context<'_>) -> Decided<i64> {
        if amount > self.balance {
            return Err(No::Insufficient { balance: self.balance });
        }
        Ok(Decision::new(vec![Withdrawn { amount }.into()], self.balance - amount))
    }
}

impl Decide<Rename> for Account {
    fn identify(command: &Rename) -> String {
        command.account.clone()
    }

    fn decide(&self, command: &Rename, _: &Context<'_>) -> Decided<()> {
        let decision = Decision::from(vec![Renamed { name: command.name.clone() }.into()]);
        let decision = decision.take("bank.name", &command.name);
        Ok(match &self.name {
            Some(old) => decision.release("bank.name", old),
            None => decision,
        })
    }

    fn claimed(_: &Rename, claim: &ClaimName) -> Option<No> {
        (claim.scope == "bank.name").then_some(No::NameTaken)
    }
}

impl Decide<Curse> for Account {
    fn identify(command: &Curse) -> String {
        command.account.clone()
    }

    fn decide(&self, command: &Curse, _: &Context<'_>) -> Decided<()> {
        Ok(vec![Deposited { amount: 1 }.into(), Cursed { id: command.id }.into()].into())
    }
}

impl Decide<Misbehave> for Account {
    fn identify(command: &Misbehave) -> String {
        assert_ne!(command.how, PanicIn::Identify, "told to panic");
        command.account.clone()
    }

    fn decide(&self, command: &Misbehave, _: &Context<'_>) -> Decided<()> {
        assert_ne!(command.how, PanicIn::Decide, "told to panic");
        Ok(Decision::nothing(()).take("bank.name", "the one that is taken"))
    }

    fn claimed(command: &Misbehave, _: &ClaimName) -> Option<No> {
        assert_ne!(command.how, PanicIn::Claimed, "told to panic");
        None
    }
}

impl Default for CountedAlive {
    fn default() -> Self {
        COUNTED_ALIVE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for CountedAlive {
    fn drop(&mut self) {
        COUNTED_ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Aggregate for CountedAlive {
    const CATEGORY: &'static str = "counted";
    type Event = CountedEvent;
    type Commands = (Counted,);

    fn evolve(self, _: &CountedEvent) -> Self {
        self
    }
}

impl Decide<Counted> for CountedAlive {
    fn identify(command: &Counted) -> String {
        command.account.clone()
    }

    fn decide(&self, _: &Counted, _: &Context<'_>) -> Result<Decision<CountedEvent, ()>, No> {
        Ok(vec![WasCounted {}.into()].into())
    }
}

impl Projection for Balances {
    const NAME: &'static str = "bank.balances";
    type Event = Moved;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Balance>()]
    }

    fn project(event: Moved, recorded: &RecordedEvent, changes: &mut Changes) {
        let by = match event {
            Moved::Deposited(Deposited { amount }) => amount,
            Moved::Withdrawn(Withdrawn { amount }) => -amount,
        };
        changes.modify(recorded.stream.id(), move |old: Option<Balance>| {
            let Balance { balance, events } = old.unwrap_or(Balance { balance: 0, events: 0 });
            Some(Balance { balance: balance + by, events: events + 1 })
        });
    }
}

impl Projection for NextBalances {
    const NAME: &'static str = Balances::NAME;
    const VERSION: u32 = 2;
    type Event = Moved;

    fn collections() -> Vec<Collection> {
        Balances::collections()
    }

    fn project(event: Moved, recorded: &RecordedEvent, changes: &mut Changes) {
        Balances::project(event, recorded, changes);
        changes.update(recorded.stream.id(), |balance: &mut Balance| balance.events += 9);
    }
}

impl Projection for Fussy {
    const NAME: &'static str = "bank.fussy";
    type Event = OnlyDeposits;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Deposits>()]
    }

    fn project(
        OnlyDeposits::Deposited(Deposited { amount }): OnlyDeposits,
        _: &RecordedEvent,
        changes: &mut Changes,
    ) {
        changes.modify("all", move |old: Option<Deposits>| {
            assert_ne!(amount, PANICS_IN_CHANGE, "told to panic");
            assert!(amount != PANICS_WHILE_SULKING || !SULKS.load(Ordering::SeqCst), "told to panic");
            Some(Deposits { count: old.map_or(1, |old| old.count + 1) })
        });
        assert_ne!(amount, PANICS_IN_RULE, "told to panic");
    }
}

impl<const V: u32> Projection for FussyLater<V> {
    const NAME: &'static str = "bank.fussy_later";
    const VERSION: u32 = V;
    type Event = OnlyDeposits;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<LaterDeposits>()]
    }

    fn project(
        OnlyDeposits::Deposited(Deposited { amount }): OnlyDeposits,
        _: &RecordedEvent,
        changes: &mut Changes,
    ) {
        assert!(V < 2 || amount != PANICS_IN_RULE, "told to panic");
        changes.modify("all", |old: Option<LaterDeposits>| {
            Some(LaterDeposits { count: old.map_or(1, |old| old.count + 1) })
        });
    }
}
