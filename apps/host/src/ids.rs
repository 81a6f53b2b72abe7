//! The ids of what a function does to carry out its command: the same whenever that comes again, and nobody else's.

use umbel_core::{CommandId, schedule::derived};
use uuid::Uuid;

/// Number of what is planned, among what is derived of a part's id.
const PLAN: u64 = 0;
/// Number of the reply, among what is derived of a command's id.
const REPLY: u64 = 1;

/// Makes the ids of what belongs to one command of a function.
///
/// The first part carries the command's own id. So a function whose first part is carried out by a function shares its id with that one: all
/// other ids depend on how many functions there are around it, too. They do not on the command's name, which may change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    command: CommandId,
    own: Uuid,
}

impl Ids {
    /// Of a command that is dispatched by so many functions, one within the other.
    pub(crate) fn of(command: CommandId, depth: u32) -> Self {
        let own = match depth {
            0 => command.0,
            // Behind the numbers of a plan and of the reply.
            depth => derived(command.0, REPLY + u64::from(depth)),
        };
        Self { command, own }
    }

    /// The command of a part.
    pub(crate) fn part(&self, number: u32) -> CommandId {
        match number {
            0 => self.command,
            number => CommandId(self.numbered(number)),
        }
    }

    /// What is planned as a part. Not the part's id itself: under that a command is looked for that is carried out now.
    pub(crate) fn plan(&self, number: u32) -> CommandId {
        CommandId(derived(self.numbered(number), PLAN))
    }

    /// The record of the whole command's reply.
    pub(crate) fn reply(&self) -> CommandId {
        CommandId(derived(self.own, REPLY))
    }

    fn numbered(&self, part: u32) -> Uuid {
        /// An odd 128-bit number, so that multiples of it differ: the golden ratio's fraction.
        const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        Uuid::from_u128(self.own.as_u128() ^ STEP.wrapping_mul(part.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(command: u128, depth: u32) -> Ids {
        Ids::of(CommandId(Uuid::from_u128(command)), depth)
    }

    #[test]
    fn all_ids_differ() {
        let mut ids = HashSet::new();
        for (command, depth) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)] {
            let of = of(command, depth);
            assert_eq!(of.part(0).0, Uuid::from_u128(command));
            assert!(ids.insert(of.reply()));
            assert!((0..100).all(|part| ids.insert(of.plan(part))));
            // Those of a part that a function carries out, too.
            for part in 1..100 {
                let within = Ids::of(of.part(part), depth + 1);
                assert!(ids.insert(of.part(part)) && ids.insert(within.reply()));
                assert!((1..10).all(|part| ids.insert(within.part(part)) && ids.insert(within.plan(part))));
            }
        }
        assert!([1, 2].iter().all(|command| !ids.contains(&of(*command, 0).part(0))));
    }

    /// Stores have these.
    #[test]
    fn ids_stay_as_they_are() {
        let text = |id: CommandId| id.0.to_string();
        let outer = of(7, 0);
        assert_eq!(text(outer.part(1)), "9e3779b9-7f4a-7c15-f39c-c0605cedc832");
        assert_eq!(text(outer.plan(0)), "1579e460-0cc2-9d3b-b572-ec81fc455fb0");
        assert_eq!(text(outer.reply()), "1579e460-0dc2-9d3b-b572-ec81fc4560eb");
        let inner = of(7, 1);
        assert_eq!(text(inner.part(1)), "8b4e9dd9-7188-e12e-46ee-2ce1a0a8aa13");
        assert_eq!(text(inner.plan(0)), "1ca06da3-98bb-e4bf-0b6c-ea04ebcfe9bc");
        assert_eq!(text(inner.reply()), "1ca06da3-99bb-e4bf-0b6c-ea04ebcfeaf7");
    }
}
