//! What was measured, for people and for machines.

use std::fmt;

use serde::Serialize;
use umbel_core::store::StoreStatus;

use super::{
    ROUNDS,
    figures::{grouped, median, median_ratio, ms, percentile, range, rounded},
    load::{Load, Subject},
};
use crate::cli::BenchArgs;

/// The figures of one run. Rates are events per second, medians of the rounds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// `W1`: one event per append; `W2`: several.
    workload: &'static str,
    store: &'static str,
    concurrency: u32,
    batch: u32,
    events: u64,
    #[serde(flatten)]
    rate: Rate,
    p50_ms: f64,
    p99_ms: f64,
    floors: Floors<Rate>,
    /// The store's rate to that of each floor: the median over the rounds, in each of which they took turns.
    ratios: Floors<f64>,
    #[serde(skip)]
    location: String,
    #[serde(skip)]
    streams: u32,
}

/// One value for each floor; `None` where the store has none.
#[derive(Debug, Serialize)]
struct Floors<T> {
    group_commit: Option<T>,
    single_row: Option<T>,
}

/// Events per second: the median of the rounds, and the slowest and the fastest of them, which is the noise.
#[derive(Debug, Serialize)]
struct Rate {
    per_second: f64,
    per_second_min: f64,
    per_second_max: f64,
}

impl Report {
    pub(super) fn new(
        args: &BenchArgs,
        status: &StoreStatus,
        load: &Load,
        store: &Subject,
        group_commit: Option<&Subject>,
        single_row: Option<&Subject>,
    ) -> Self {
        let mut latencies = store.latencies.clone();
        latencies.sort_unstable();
        let rate = Rate::of(&store.rates);
        let floors = Floors {
            group_commit: group_commit.map(|floor| Rate::of(&floor.rates)),
            single_row: single_row.map(|floor| Rate::of(&floor.rates)),
        };
        let ratio = |floor: &Subject| median_ratio(&store.rates, &floor.rates).map(|ratio| rounded(ratio, 3));
        let ratios =
            Floors { group_commit: group_commit.and_then(ratio), single_row: single_row.and_then(ratio) };
        Self {
            workload: if load.batch == 1 { "W1" } else { "W2" },
            store: status.adapter,
            concurrency: args.concurrency,
            batch: load.batch,
            events: load.events,
            p50_ms: ms(percentile(&latencies, 50)),
            p99_ms: ms(percentile(&latencies, 99)),
            ratios,
            floors,
            rate,
            location: status.location.clone(),
            streams: args.streams.max(args.concurrency),
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and names have a JSON form")
    }
}

impl Rate {
    fn of(rates: &[f64]) -> Self {
        let (min, max) = range(rates);
        Self {
            per_second: rounded(median(rates), 1),
            per_second_min: rounded(min, 1),
            per_second_max: rounded(max, 1),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, batch, concurrency, streams, events, .. } = self;
        let plural = if *batch == 1 { "" } else { "s" };
        writeln!(
            f,
            "{workload}: {batch} event{plural} per append, {concurrency} callers, {streams} streams"
        )?;
        writeln!(
            f,
            "{events} events in {ROUNDS} rounds, on {} at {} (scratch, removed)\n",
            self.store, self.location
        )?;
        writeln!(f, "{:20}{:>10}  {:>19}  {:>11}", "", "events/s", "slowest..fastest", "umbel/floor")?;
        line(f, "umbel", Some(&self.rate), None)?;
        line(f, "floor group commit", self.floors.group_commit.as_ref(), self.ratios.group_commit)?;
        line(f, "floor single row", self.floors.single_row.as_ref(), self.ratios.single_row)?;
        write!(f, "\nan append took {:.2} ms (p50), {:.2} ms (p99)", self.p50_ms, self.p99_ms)
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, rate: Option<&Rate>, ratio: Option<f64>) -> fmt::Result {
    let Some(Rate { per_second, per_second_min, per_second_max }) = rate else {
        return writeln!(f, "{name:20}{:>10}", "-");
    };
    let noise = format!("{}..{}", grouped(*per_second_min), grouped(*per_second_max));
    let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    writeln!(f, "{}", format!("{name:20}{:>10}  {noise:>19}  {ratio:>11}", grouped(*per_second)).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            workload: "W1",
            store: "sqlite",
            concurrency: 8,
            batch: 1,
            events: 600,
            rate: Rate::of(&[30_000.0, 10_000.0, 20_000.0]),
            p50_ms: 1.25,
            p99_ms: 9.0,
            floors: Floors { group_commit: Some(Rate::of(&[40_000.0])), single_row: None },
            ratios: Floors { group_commit: Some(0.5), single_row: None },
            location: "x/bench.db".into(),
            streams: 1000,
        }
    }

    #[test]
    fn machines_get_every_key_and_null_for_a_missing_floor() {
        let json: serde_json::Value = serde_json::from_str(&report().to_json()).unwrap();
        assert_eq!(json["per_second"], 20_000.0);
        assert_eq!(json["per_second_min"], 10_000.0);
        assert_eq!(json["floors"]["group_commit"]["per_second"], 40_000.0);
        assert_eq!(json["ratios"]["group_commit"], 0.5);
        assert!(json["floors"]["single_row"].is_null() && json["ratios"]["single_row"].is_null());
        for key in ["workload", "store", "concurrency", "batch", "events", "p50_ms", "p99_ms"] {
            assert!(!json[key].is_null(), "{key}");
        }
    }

    #[test]
    fn people_get_a_table() {
        assert_eq!(
            report().to_string(),
            "\
W1: 1 event per append, 8 callers, 1000 streams
600 events in 9 rounds, on sqlite at x/bench.db (scratch, removed)

                      events/s     slowest..fastest  umbel/floor
umbel                   20,000       10,000..30,000
floor group commit      40,000       40,000..40,000         0.50
floor single row             -

an append took 1.25 ms (p50), 9.00 ms (p99)"
        );
    }
}
