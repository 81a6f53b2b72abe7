//! Figures from measurements.

use std::time::Duration;

/// The middle of some rates, or the mean of the two middle ones. 0 without any.
pub(super) fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (lower, upper) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    match (sorted.get(lower), sorted.get(upper)) {
        (Some(lower), Some(upper)) => f64::midpoint(*lower, *upper),
        _ => 0.0,
    }
}

/// The middle of the ratios, round by round, of rates measured in turn: what the machine does besides meets both of a
/// pair alike, so this holds where the ratio of two medians drifts. `None` without a pair.
pub(super) fn median_ratio(rates: &[f64], others: &[f64]) -> Option<f64> {
    let pairs = rates.iter().zip(others).filter(|(_, other)| **other > 0.0);
    let ratios: Vec<_> = pairs.map(|(rate, other)| rate / other).collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

/// The least and the most. 0 without any.
pub(super) fn range(rates: &[f64]) -> (f64, f64) {
    let of = |choose: fn(f64, f64) -> f64| rates.iter().copied().reduce(choose).unwrap_or_default();
    (of(f64::min), of(f64::max))
}

/// The smallest value that at least so many of a hundred do not exceed; the values are sorted. Zero without any.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The number with so many decimals.
pub(super) fn rounded(number: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (number * unit).round() / unit
}

/// A whole number with its thousands apart.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(range(&[4.0, 1.0, 9.0]), (1.0, 9.0));
        assert_eq!(range(&[]), (0.0, 0.0));
    }

    #[test]
    fn ratios_are_of_pairs() {
        // The machine slows down to a tenth; the ratio stays.
        assert_eq!(median_ratio(&[80.0, 8.0, 40.0], &[100.0, 10.0, 50.0]), Some(0.8));
        assert_eq!(median_ratio(&[80.0], &[0.0]), None);
        assert_eq!(median_ratio(&[], &[]), None);
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let ms: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&ms, 50), Duration::from_millis(100));
        assert_eq!(percentile(&ms, 99), Duration::from_millis(198));
        assert_eq!(percentile(&ms, 100), Duration::from_millis(200));
        assert_eq!(percentile(&ms[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0.4), "0");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1000.0), "1,000");
        assert_eq!(grouped(1_234_567.8), "1,234,568");
        assert_eq!(rounded(1.234_567, 3), 1.235);
    }
}
