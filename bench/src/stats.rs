//! What figures mean.

use std::time::Duration;

/// The value below which `share` (0 to 1) of the times lie; zero for no times.
pub fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    if sorted.is_empty() {
        return Duration::ZERO;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let at = (share * (sorted.len() - 1) as f64).round() as usize;
    sorted[at.min(sorted.len() - 1)]
}

/// The two-sided p of a Mann-Whitney rank test: how likely two samples from one distribution differ in rank
/// by this much or more. Normal approximation with the correction for ties; meant for samples over 20.
#[expect(clippy::cast_precision_loss, reason = "samples are thousands, not 2^52")]
pub fn rank_test(first: &[Duration], second: &[Duration]) -> f64 {
    let (n, m) = (first.len() as f64, second.len() as f64);
    let mut all: Vec<_> = first
        .iter()
        .map(|t| (*t, true))
        .chain(second.iter().map(|t| (*t, false)))
        .collect();
    all.sort_unstable();
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let same = all[at..]
            .iter()
            .take_while(|(time, _)| *time == all[at].0)
            .count();
        // The rank of each of them is the mean of the places they take, counted from one.
        let rank = at as f64 + f64::midpoint(same as f64, 1.0);
        ranks += rank
            * all[at..at + same]
                .iter()
                .filter(|(_, of_first)| *of_first)
                .count() as f64;
        ties += (same as f64).powi(3) - same as f64;
        at += same;
    }
    let total = n + m;
    let variance = n * m / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let off = (ranks - n * f64::midpoint(total, 1.0)).abs() - 0.5;
    erfc(off.max(0.0) / variance.sqrt() / std::f64::consts::SQRT_2)
}

/// The complementary error function, to 1.2e-7 (Numerical Recipes in C, 6.2: a Chebyshev fit).
fn erfc(x: f64) -> f64 {
    const FIT: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let fit = FIT.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let tail = t * (-x * x + fit).exp();
    if x >= 0.0 { tail } else { 2.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().map(|v| Duration::from_millis(*v)).collect()
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let times = ms(&[5, 1, 4, 2, 3]);
        assert_eq!(percentile(&times, 0.5), Duration::from_millis(3));
        assert_eq!(percentile(&times, 0.95), Duration::from_millis(5));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn the_rank_test_agrees_with_r() {
        // wilcox.test(1:10, 4:13, exact = FALSE, correct = TRUE): W = 24.5, p = 0.05812
        let p = rank_test(
            &ms(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
            &ms(&[4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        );
        assert!((p - 0.058_12).abs() < 0.0005, "{p}");
        let same = ms(&[1, 2, 3, 4]);
        assert!(rank_test(&same, &same) > 0.99);
    }
}
