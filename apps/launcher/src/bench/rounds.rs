//! Those that are compared take turns, so that what else the machine does meets all of them alike.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::figures::percentile;

/// Something that is measured, round by round.
pub(super) trait Subject {
    /// Does its work once.
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>>;
}

/// What was measured in one round.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// What was done, counted.
    pub(super) units: u64,
    /// All of it together.
    pub(super) took: Duration,
    /// Each by itself, from call to answer; empty where that says nothing.
    pub(super) latencies: Vec<Duration>,
}

/// What one subject has reached in each round that counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) name: &'static str,
    /// Units per second.
    pub(super) rates: Vec<f64>,
    /// Milliseconds that half of the calls do not exceed.
    pub(super) p50_ms: Vec<f64>,
    /// Milliseconds that 99 of a hundred calls do not exceed.
    pub(super) p99_ms: Vec<f64>,
}

/// Those that take turns.
#[derive(Default)]
pub(super) struct Contest<'a>(Vec<(&'static str, Box<dyn Subject + 'a>)>);

impl<'a> Contest<'a> {
    pub(super) fn with(mut self, name: &'static str, subject: impl Subject + 'a) -> Self {
        self.0.push((name, Box::new(subject)));
        self
    }

    /// Without a subject, which some stores do not have, its series will be empty.
    pub(super) fn with_some(mut self, name: &'static str, subject: Option<impl Subject + 'a>) -> Self {
        match subject {
            Some(subject) => self.with(name, subject),
            None => {
                self.0.push((name, Box::new(Nobody)));
                self
            }
        }
    }

    /// A round that does not count, then so many that do.
    pub(super) async fn run(mut self, rounds: u32) -> anyhow::Result<Vec<Series>> {
        let mut series: Vec<_> =
            self.0.iter().map(|(name, _)| Series { name, ..Series::default() }).collect();
        for round in 0..=rounds {
            for ((_, subject), series) in self.0.iter_mut().zip(&mut series) {
                let measured = subject.round().await?;
                if round > 0 {
                    series.add(measured);
                }
            }
        }
        Ok(series)
    }
}

impl Series {
    fn add(&mut self, Round { units, took, mut latencies }: Round) {
        if units == 0 {
            return;
        }
        // A duration of so many seconds is a count as a float, without a cast.
        self.rates.push(Duration::from_secs(units).div_duration_f64(took));
        if !latencies.is_empty() {
            latencies.sort_unstable();
            self.p50_ms.push(percentile(&latencies, 50).as_secs_f64() * 1000.0);
            self.p99_ms.push(percentile(&latencies, 99).as_secs_f64() * 1000.0);
        }
    }
}

/// Stands for what a store does not have.
struct Nobody;

impl Subject for Nobody {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(async { Ok(Round::default()) })
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    struct Noted(&'static str, Rc<RefCell<String>>);

    impl Subject for Noted {
        fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
            self.1.borrow_mut().push_str(self.0);
            let latencies = vec![Duration::from_millis(3), Duration::from_millis(1)];
            Box::pin(async { Ok(Round { units: 10, took: Duration::from_millis(500), latencies }) })
        }
    }

    #[tokio::test]
    async fn subjects_take_turns_and_the_first_round_does_not_count() {
        let turns = Rc::new(RefCell::new(String::new()));
        let contest = Contest::default()
            .with("a", Noted("a", Rc::clone(&turns)))
            .with_some("-", None::<Noted>)
            .with("b", Noted("b", Rc::clone(&turns)));
        let series = contest.run(2).await.unwrap();
        assert_eq!(*turns.borrow(), "ababab");
        assert_eq!(series.iter().map(|series| series.name).collect::<String>(), "a-b");
        assert_eq!(series[0].rates, [20.0, 20.0]);
        assert_eq!((series[0].p50_ms[0], series[0].p99_ms[0]), (1.0, 3.0));
        assert!(series[1].rates.is_empty());
    }
}
