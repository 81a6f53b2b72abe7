//! Bugs to plant: each breaks one protocol, to see that the oracle notices.

use std::str::FromStr;

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident $name:literal,)*) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $bug,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$bug,)*];

            /// What it is called.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)*
                }
            }
        }
    };
}

bugs! {
    /// A writer gives events fresh ids when it tries a group again whose outcome it does not know.
    WriterForgetsIds "writer-forgets-ids",
    /// A writer does not say that it tries again: what it finds stored looks like somebody else's.
    WriterForgetsTheTry "writer-forgets-the-try",
    /// A writer tells callers that their events are stored when it has sent them to the store.
    WriterAnswersEarly "writer-answers-early",
    /// A writer that gets no answer tells its callers that nothing was stored.
    WriterTakesSilenceForNo "writer-takes-silence-for-no",
    /// Events become visible some time after later ones did.
    StoreShowsOutOfOrder "store-shows-out-of-order",
    /// What a condition must not meet is looked for among events that were stored some time ago.
    ConditionsMissTheNewest "conditions-miss-the-newest",
    /// A condition is not asked about what its own group stores before it.
    ConditionsMissTheGroup "conditions-miss-the-group",
    /// The store takes what comes under an old lease.
    StoreIgnoresEpochs "store-ignores-epochs",
    /// The store lets the epochs of a subscription begin anew when it was deleted.
    DeletionForgetsEpochs "deletion-forgets-epochs",
    /// The store says of a key that still has dead letters that it has none.
    StoreFreesKeysEarly "store-frees-keys-early",
    /// Checkpoints are saved as far as was read.
    CheckpointTooEarly "checkpoint-too-early",
    /// An event that is to be tried again later is kept aside, and what comes behind it passes.
    RetrySkipsTheQueue "retry-skips-the-queue",
    /// Whoever becomes owner of a partition does not look which keys have dead letters.
    LettersForgotten "letters-forgotten",
    /// A supervisor restarts although its intensity is passed.
    SupervisorNeverGivesUp "supervisor-never-gives-up",
    /// A supervisor takes milliseconds for seconds, so that restarts are forgotten too early.
    SupervisorCountsWrong "supervisor-counts-wrong",
    /// Who sees to a process manager's instance puts down that its commands are carried out, and dispatches them then.
    ProcessSettlesEarly "process-settles-early",
    /// With a dead letter waits what is behind the command that was refused, and not that one.
    ProcessParksTooLittle "process-parks-too-little",
    /// Who looks whether a dead letter was discarded does not ask whether its event may be about to become one.
    ProcessLooksEarly "process-looks-early",
    /// Whoever carries out a schedule makes up an id for its command.
    ScheduleForgetsIds "schedule-forgets-ids",
    /// A wait for visibility looks at the first partition only.
    WaitLooksAtOnePartition "wait-looks-at-one-partition",
    /// A wait for visibility counts what other nodes own as done.
    WaitForgetsOtherNodes "wait-forgets-other-nodes",
}

impl FromStr for Bug {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|bug| bug.name()).collect();
            format!("there is no bug {name}; there are {}", names.join(", "))
        })
    }
}
