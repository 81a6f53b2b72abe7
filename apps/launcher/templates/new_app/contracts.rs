//! The words of the app_name app: what other apps may ask of it, and what it tells them.

use std::fmt;

use serde::{Deserialize, Serialize};
use umbel_core::{Command, Event, Query};

/// Puts an item in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// Which item; whoever puts it in chooses.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// Takes an item out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// Which item.
    pub id: String,
}

/// Why an item cannot be put in, or taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rejection {
    /// Its name is blank.
    NameIsBlank,
    /// It is in already.
    IsIn,
    /// It is not in.
    IsNotIn,
}

/// An item was put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutIn {
    /// Which item.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// An item was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenOut {
    /// Which item.
    pub id: String,
}

/// Asks for the items that are in, by name: the first, as many as the settings of the app allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List;

/// One item of the answer to [`List`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Which item.
    pub id: String,
    /// What it is called.
    pub name: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameIsBlank => "an item needs a name",
            Self::IsIn => "the item is in already",
            Self::IsNotIn => "the item is not in",
        })
    }
}

impl Command for Put {
    const NAME: &'static str = "app_name.put";
    type Reply = ();
    type Rejection = Rejection;
}

impl Command for Take {
    const NAME: &'static str = "app_name.take";
    type Reply = ();
    type Rejection = Rejection;
}

impl Event for PutIn {
    const NAME: &'static str = "app_name.put_in";
}

impl Event for TakenOut {
    const NAME: &'static str = "app_name.taken_out";
}

impl Query for List {
    const NAME: &'static str = "app_name.list";
    type Answer = Vec<Listed>;
}
