//! A small domain to send commands to: accounts of a bank.

use std::fmt;

use serde::{Deserialize, Serialize};
use umbel_bus::edge::fresh_id;
use umbel_core::{
    Aggregate, Command, Context, Decide, Decision, Event, EventId, Metadata, NewEvent, StreamName,
};
use umbel_host::App;

/// Money comes in.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "bank.deposit", reply = u64, rejection = Refusal)]
pub(super) struct Deposit {
    pub(super) account: String,
    pub(super) cents: u64,
}

/// Asks for the balance the way of every command, which loads the account if it is not in memory, and changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "bank.audit", reply = u64, rejection = Refusal)]
pub(super) struct Audit {
    pub(super) account: String,
}

/// Money came in. About 200 bytes, like the events of the other workloads.
#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "bank.deposited")]
pub(super) struct Deposited {
    account: String,
    cents: u64,
    memo: String,
}

umbel_core::events! {
    /// What happens to an account.
    pub(super) enum AccountEvent { Deposited(Deposited) }
}

/// The balance, in cents.
#[derive(Debug, Default)]
pub(super) struct Account {
    cents: u64,
}

/// Nothing that this bank ever says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Refusal {}

const MEMO: &str = "Paid in at the counter, in coins and notes, counted twice and found to be right: \
                    thank you for keeping what you have with us, and good day until the next time.";

/// The bank as an app.
pub(super) fn app() -> App {
    App::new("bank").aggregate::<Account>()
}

/// The stream of an account.
pub(super) fn stream(account: &str) -> StreamName {
    StreamName::from_store(format!("{}-{account}", Account::CATEGORY))
}

/// A deposit as it would have been recorded, to fill a stream without commands.
pub(super) fn deposited(account: &str, cents: u64) -> anyhow::Result<NewEvent> {
    let id = fresh_id();
    Ok(NewEvent::of(EventId(id), &Deposited::of(account, cents), Metadata::correlated(id).caused_by(id))?)
}

impl Deposited {
    fn of(account: &str, cents: u64) -> Self {
        Self { account: account.to_owned(), cents, memo: MEMO.to_owned() }
    }
}

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Event = AccountEvent;
    type Commands = (Deposit, Audit);

    fn evolve(self, AccountEvent::Deposited(event): &AccountEvent) -> Self {
        Self { cents: self.cents.saturating_add(event.cents) }
    }
}

impl Decide<Deposit> for Account {
    fn identify(command: &Deposit) -> String {
        command.account.clone()
    }

    fn decide(&self, command: &Deposit, _: &Context<'_>) -> Result<Decision<AccountEvent, u64>, Refusal> {
        let event = Deposited::of(&command.account, command.cents);
        Ok(Decision::new(vec![event.into()], self.cents.saturating_add(command.cents)))
    }
}

impl Decide<Audit> for Account {
    fn identify(command: &Audit) -> String {
        command.account.clone()
    }

    fn decide(&self, _: &Audit, _: &Context<'_>) -> Result<Decision<AccountEvent, u64>, Refusal> {
        Ok(Decision::nothing(self.cents))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_about_200_bytes() {
        let size = deposited("1234", 5).unwrap().data.len_bytes();
        assert!((190..=210).contains(&size), "{size}");
    }
}
