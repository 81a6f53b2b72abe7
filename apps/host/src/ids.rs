//! The ids of what a function does to carry out its command: the same whenever that comes again, and nobody else's.

use umbel_core::{
    CommandId,
    schedule::{derived, id_of_name},
};
use uuid::Uuid;

/// Makes the ids of what belongs to one command of a function.
///
/// The first part carries the command's own id. So a function whose first part is carried out by another function shares its id with that one:
/// all other ids depend on the command's name, too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    command: CommandId,
    own: Uuid,
}

impl Ids {
    pub(crate) fn of(command: CommandId, name: &str) -> Self {
        Self { command, own: Uuid::from_u128(command.0.as_u128() ^ id_of_name("", name).as_u128()) }
    }

    /// The command of a part.
    pub(crate) fn part(&self, number: u32) -> CommandId {
        match number {
            0 => self.command,
            number => CommandId(derived(self.own, number.into())),
        }
    }

    /// What is planned as a part. Not the part's id itself: under that a command is looked for that is carried out now.
    pub(crate) fn plan(&self, number: u32) -> CommandId {
        CommandId(derived(derived(self.own, number.into()), 0))
    }

    /// The record of the whole command's reply.
    pub(crate) fn reply(&self) -> CommandId {
        CommandId(derived(self.own, 0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_ids_differ() {
        let mut ids = HashSet::new();
        for (command, name) in [(1, "a.b"), (1, "a.c"), (2, "a.b"), (2, "a.c")] {
            let of = Ids::of(CommandId(Uuid::from_u128(command)), name);
            assert_eq!(of.part(0).0, Uuid::from_u128(command));
            assert!(ids.insert(of.reply()));
            assert!((1..100).all(|part| ids.insert(of.part(part))));
            assert!((0..100).all(|part| ids.insert(of.plan(part))));
        }
        assert!(!ids.contains(&CommandId(Uuid::from_u128(1))));
    }
}
