//! The words of the app_name app: what other apps may ask of it, and what it tells them.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use umbel_core::{Command, Event, Query};

/// Puts an item in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "app_name.put", rejection = Rejection)]
pub struct Put {
    /// Which item; whoever puts it in chooses.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// Takes an item out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "app_name.take", rejection = Rejection)]
pub struct Take {
    /// Which item.
    pub id: String,
}

/// Why an item cannot be put in, or taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum Rejection {
    /// Its name is blank.
    #[error("an item needs a name")]
    NameIsBlank,
    /// It is in already.
    #[error("the item is in already")]
    IsIn,
    /// It is not in.
    #[error("the item is not in")]
    IsNotIn,
}

/// An item was put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "app_name.put_in")]
pub struct PutIn {
    /// Which item.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// An item was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "app_name.taken_out")]
pub struct TakenOut {
    /// Which item.
    pub id: String,
}

/// Asks for the items that are in, by name: the first, as many as the settings of the app allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "app_name.list", answer = Vec<Listed>)]
pub struct List;

/// One item of the answer to [`List`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Which item.
    pub id: String,
    /// What it is called.
    pub name: String,
}
