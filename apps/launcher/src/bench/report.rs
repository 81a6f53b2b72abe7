//! What was measured, for people and for machines.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use umbel_core::store::StoreStatus;

use super::{
    bars::Bar,
    figures::{grouped, median, median_ratio, range, rounded},
    rounds::Series,
};

/// One comparison: who reached what, and how they stand to each other.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Its short name, such as `W1`.
    workload: &'static str,
    store: &'static str,
    rounds: u32,
    #[serde(flatten)]
    parameters: BTreeMap<&'static str, u64>,
    rows: Vec<Row>,
    pub(super) findings: Vec<Finding>,
    #[serde(skip)]
    what: String,
    #[serde(skip)]
    location: String,
    #[serde(skip)]
    series: Vec<Series>,
}

/// Who reached what: the median of the rounds, and the slowest and the fastest of them, which is the noise.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    /// `None`, with all others, where the store has no such thing.
    per_second: Option<f64>,
    per_second_min: Option<f64>,
    per_second_max: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// One figure that says something by itself.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    pub(super) what: String,
    pub(super) value: f64,
    /// Empty for ratios.
    pub(super) unit: &'static str,
    pub(super) bar: Option<Bar>,
    /// Whether it is what the bar says; `None` without one.
    pub(super) met: Option<bool>,
}

/// What of a series is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Rate,
    P50,
    P99,
}

impl Report {
    pub(super) fn new(workload: &'static str, what: String, status: &StoreStatus, rounds: u32) -> Self {
        Self {
            workload,
            store: status.adapter,
            rounds,
            parameters: BTreeMap::new(),
            rows: Vec::new(),
            findings: Vec::new(),
            what,
            location: status.location.clone(),
            series: Vec::new(),
        }
    }

    /// A number that the measurement was made with.
    pub(super) fn with(mut self, parameter: &'static str, value: impl Into<u64>) -> Self {
        self.parameters.insert(parameter, value.into());
        self
    }

    /// Everybody who took turns.
    pub(super) fn measured(mut self, series: Vec<Series>) -> Self {
        self.rows.extend(series.iter().map(Row::of));
        self.series.extend(series);
        self
    }

    /// How one stands to another: the median, over the rounds, of the ratio within the round. Left out where one of them
    /// is not measured on this store.
    pub(super) fn ratio(self, of: &str, to: &str, bar: impl Into<Option<Bar>>) -> Self {
        self.ratio_of((of, Figure::Rate), (to, Figure::Rate), bar)
    }

    /// The same of other figures than rates.
    pub(super) fn ratio_of(
        self,
        of: (&str, Figure),
        to: (&str, Figure),
        bar: impl Into<Option<Bar>>,
    ) -> Self {
        let what = format!("{}{} / {}{}", of.0, of.1, to.0, to.1);
        match median_ratio(self.figures(of), self.figures(to)) {
            Some(ratio) => self.value(what, rounded(ratio, 3), "", bar),
            None => self,
        }
    }

    /// The median of a figure over the rounds. Left out where that is not measured on this store.
    pub(super) fn median_of(
        self,
        of: (&str, Figure),
        unit: &'static str,
        bar: impl Into<Option<Bar>>,
    ) -> Self {
        let figures = self.figures(of);
        if figures.is_empty() {
            return self;
        }
        let value = median(figures);
        self.value(format!("{}{}", of.0, of.1), rounded(value, 3), unit, bar)
    }

    /// A figure that was measured in another way.
    pub(super) fn value(
        mut self,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        bar: impl Into<Option<Bar>>,
    ) -> Self {
        let bar = bar.into();
        let met = bar.map(|bar| bar.is_met(value));
        self.findings.push(Finding { what: what.into(), value, unit, bar, met });
        self
    }

    fn figures(&self, (name, figure): (&str, Figure)) -> &[f64] {
        let series = self.series.iter().find(|series| series.name == name);
        series.map_or(&[], |series| match figure {
            Figure::Rate => &series.rates,
            Figure::P50 => &series.p50_ms,
            Figure::P99 => &series.p99_ms,
        })
    }

    /// For a table of many: workload, store and finding.
    pub(super) fn barred(&self) -> impl Iterator<Item = (&'static str, &'static str, &Finding)> {
        let barred = self.findings.iter().filter(|finding| finding.bar.is_some());
        barred.map(|finding| (self.workload, self.store, finding))
    }
}

impl Row {
    fn of(series: &Series) -> Self {
        let measured = |figures: &[f64], figure: f64, decimals| {
            (!figures.is_empty()).then_some(rounded(figure, decimals))
        };
        let (min, max) = range(&series.rates);
        Self {
            name: series.name,
            per_second: measured(&series.rates, median(&series.rates), 1),
            per_second_min: measured(&series.rates, min, 1),
            per_second_max: measured(&series.rates, max, 1),
            p50_ms: measured(&series.p50_ms, median(&series.p50_ms), 3),
            p99_ms: measured(&series.p99_ms, median(&series.p99_ms), 3),
        }
    }
}

impl Finding {
    /// What it is and what it was to be, for people.
    pub(super) fn verdict(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let value = format!("{:.2}{unit}", self.value);
        match (self.bar, self.met) {
            (Some(bar), Some(met)) => {
                format!("{value:>12}   bar: {bar}{unit}, {}", if met { "met" } else { "MISSED" })
            }
            _ => format!("{value:>12}"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "",
            Self::P50 => " p50",
            Self::P99 => " p99",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.workload, self.what)?;
        let place = if self.location.is_empty() { String::new() } else { format!(" at {}", self.location) };
        let plural = if self.rounds == 1 { "" } else { "s" };
        writeln!(f, "{} round{plural}, on {}{place} (scratch)", self.rounds, self.store)?;
        if !self.rows.is_empty() {
            let titles = ("per second", "slowest..fastest", "p50 ms", "p99 ms");
            writeln!(f, "\n{:24}{:>12}  {:>23}  {:>8}  {:>8}", "", titles.0, titles.1, titles.2, titles.3)?;
            self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        }
        if !self.findings.is_empty() {
            writeln!(f)?;
        }
        self.findings.iter().try_for_each(|finding| writeln!(f, "{:44}{}", finding.what, finding.verdict()))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, per_second, per_second_min, per_second_max, p50_ms, p99_ms } = self;
        let or_dash = |number: &Option<f64>, show: fn(f64) -> String| number.map_or("-".to_owned(), show);
        let noise = match (per_second_min, per_second_max) {
            (Some(min), Some(max)) => format!("{}..{}", grouped(*min), grouped(*max)),
            _ => String::new(),
        };
        let ms = |ms: f64| format!("{ms:.2}");
        let rate = or_dash(per_second, grouped);
        let (p50, p99) = (or_dash(p50_ms, ms), or_dash(p99_ms, ms));
        write!(f, "{name:24}{rate:>12}  {noise:>23}  {p50:>8}  {p99:>8}")
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::Position;

    use super::*;

    fn report() -> Report {
        let status = StoreStatus {
            adapter: "sqlite",
            location: "x/bench.db".into(),
            head: Position::START,
            archived_to: Position::START,
        };
        let series = |name, rates: &[f64], ms: &[f64]| Series {
            name,
            rates: rates.into(),
            p50_ms: ms.into(),
            p99_ms: ms.iter().map(|ms| ms * 4.0).collect(),
        };
        let of = |figure| ("umbel", figure);
        let floor = "floor group commit";
        Report::new("W1", "1 event per append, 8 callers".into(), &status, 3)
            .with("concurrency", 8_u32)
            .measured(vec![
                series("umbel", &[30_000.0, 10_000.0, 20_000.0], &[1.0, 1.25, 2.0]),
                series(floor, &[40_000.0, 20_000.0, 40_000.0], &[1.0, 1.0, 1.0]),
                series("floor single row", &[], &[]),
            ])
            .ratio("umbel", floor, Bar::AtLeast(0.6))
            .ratio("umbel", "floor single row", Bar::AtLeast(0.6))
            .ratio_of(of(Figure::P99), (floor, Figure::P50), Bar::AtMost(5.0))
            .median_of(of(Figure::P50), "ms", None)
    }

    #[test]
    fn machines_get_every_key_and_null_for_what_a_store_does_not_have() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!((json["workload"].as_str(), json["store"].as_str()), (Some("W1"), Some("sqlite")));
        assert_eq!(json["concurrency"], 8);
        assert_eq!(json["rows"][0]["per_second"], 20_000.0);
        assert_eq!(json["rows"][0]["per_second_min"], 10_000.0);
        assert_eq!(json["rows"][0]["p99_ms"], 5.0);
        assert_eq!(json["rows"][2]["name"], "floor single row");
        assert!(json["rows"][2]["per_second"].is_null());
        assert_eq!(json["findings"].as_array().unwrap().len(), 3, "{json}");
        assert_eq!(json["findings"][0]["value"], 0.5);
        assert_eq!(json["findings"][0]["bar"]["at_least"], 0.6);
        assert_eq!(json["findings"][0]["met"], false);
        assert!(json["findings"][2]["met"].is_null());
    }

    #[test]
    fn people_get_a_table() {
        assert_eq!(
            report().to_string(),
            "\
W1: 1 event per append, 8 callers
3 rounds, on sqlite at x/bench.db (scratch)

                          per second         slowest..fastest    p50 ms    p99 ms
umbel                         20,000           10,000..30,000      1.25      5.00
floor group commit            40,000           20,000..40,000      1.00      4.00
floor single row                   -                                  -         -

umbel / floor group commit                          0.50   bar: at least 0.6, MISSED
umbel p99 / floor group commit p50                  5.00   bar: at most 5, met
umbel p50                                        1.25 ms
"
        );
    }
}
