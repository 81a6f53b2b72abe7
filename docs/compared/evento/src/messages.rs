//! The words of the shelf: two events, and why a command is refused. The commands are methods.

#[evento::aggregate(name = "shelf/Item")]
pub enum Item {
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
