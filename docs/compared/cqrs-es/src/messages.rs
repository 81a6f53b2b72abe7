//! The words of the shelf: two commands, two events, and why a command is refused.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

#[derive(Debug)]
pub enum Command {
    Put { name: String },
    Take,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    PutIn { name: String },
    TakenOut,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("an item needs a name")]
    NameIsBlank,
    #[error("the item is in already")]
    IsIn,
    #[error("the item is not in")]
    IsNotIn,
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::PutIn { .. } => "PutIn".to_string(),
            Self::TakenOut => "TakenOut".to_string(),
        }
    }

    fn event_version(&self) -> String {
        "1.0".to_string()
    }
}
