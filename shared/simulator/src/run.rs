//! Runs: from a seed to what happened.

use std::{collections::BTreeMap, fmt};

use umbel_core::subscription::Key;

use crate::{bug::Bug, chores::Chores, world::World};

/// Lines of a trace that are shown of a failure.
const TRACE_TAIL: usize = 60;
/// With what all ids of a world begin.
const NO_ID: &str = "00000000-0000-0000-0000-00000000";

/// A run. The same again leads to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Determines everything that is not said here.
    pub seed: u64,
    /// How many things happen before faults cease; `None`: as many as the seed says.
    pub steps: Option<u32>,
    /// A bug to plant.
    pub bug: Option<Bug>,
}

/// How often what happened.
pub type Seen = BTreeMap<&'static str, u64>;

/// A run, told line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What happened.
    pub lines: Vec<String>,
    /// What was broken, if anything was.
    pub broken: Option<String>,
}

/// A run in which something was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The run, with the number of steps after which it broke or faults ceased.
    pub run: Run,
    /// What was broken. Its first word says what of: `log`, `condition`, `order`, `checkpoint`, `lease`, `replay`, `visible`, `supervision`, `process`,
    /// `schedule`, `machine` or `rest`.
    pub broken: String,
}

impl Run {
    /// The run of a seed, without a planted bug.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self { seed, steps: None, bug: None }
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// When something was broken.
    pub fn live(self) -> Result<Seen, Failure> {
        let mut world = World::new(self.seed, self.bug, false);
        let steps = self.steps.unwrap_or(world.shape.steps);
        let mut chores = Chores::new(self.seed, self.bug, false);
        match world.live(steps).and_then(|()| chores.live()) {
            Ok(()) => {
                world.seen.append(&mut chores.seen);
                Ok(world.seen)
            }
            Err(broken) => {
                let steps = Some(world.steps.min(steps));
                Err(Failure { run: Self { steps, ..self }, broken })
            }
        }
    }

    /// Lets it happen, and tells everything.
    #[must_use]
    pub fn tell(self) -> Told {
        let mut world = World::new(self.seed, self.bug, true);
        let steps = self.steps.unwrap_or(world.shape.steps);
        let mut chores = Chores::new(self.seed, self.bug, true);
        let broken = world.live(steps).and_then(|()| chores.live()).err();
        let readable = |line: String| {
            let streams = world.shape.streams.iter();
            let line = line.replace(NO_ID, "#");
            streams.fold(line, |line, stream| {
                line.replace(&format!("{:?}", Key::of(stream.as_str())), stream.as_str())
            })
        };
        let traces = [world.trace, chores.trace].into_iter().flatten().flatten();
        let lines = std::iter::once(format!("{:?}", world.shape)).chain(traces);
        Told { lines: lines.map(readable).collect(), broken: broken.map(readable) }
    }
}

impl Failure {
    /// The same failure, or one like it, with fewer steps: faults cease earlier and earlier, as long as something breaks.
    #[must_use]
    pub fn shrink(self) -> Self {
        let mut least = self;
        let mut cut = least.run.steps.unwrap_or(0) / 2;
        while cut > 0 {
            let steps = least.run.steps.unwrap_or(0).saturating_sub(cut);
            match (Run { steps: Some(steps), ..least.run }).live() {
                Err(failure) if failure.run.steps < least.run.steps => least = failure,
                _ => cut /= 2,
            }
        }
        least
    }

    /// The end of what led to it.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        let mut lines = self.run.tell().lines;
        let from = lines.len().saturating_sub(TRACE_TAIL).max(1);
        lines.drain(1..from);
        lines
    }
}

/// As an argument list of `make`.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SEED={}", self.seed)?;
        if let Some(steps) = self.steps {
            write!(f, " STEPS={steps}")?;
        }
        if let Some(bug) = self.bug {
            write!(f, " BUG={}", bug.name())?;
        }
        Ok(())
    }
}
