//! How long requests took, by route and status.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::text::Text;

/// Upper bounds of the buckets, in microseconds. A token check takes tens of them, a password half a second.
const BOUNDS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];
/// Pairs of route and status that are told apart: there are about a hundred routes, of a few statuses each.
const PAIRS: usize = 1_024;
const NAME: &str = "gatepost_http_request_seconds";

/// Times of requests. Noting one is a short look into a table and two additions: no lock, and no allocation but for the
/// first request of its kind.
#[derive(Debug)]
pub struct HttpTimes {
    /// Open addressing, append-only: a place once taken is never given up.
    places: Box<[OnceLock<Box<Series>>]>,
    /// Those that found no place.
    rest: Series,
}

#[derive(Debug)]
struct Series {
    route: Box<str>,
    status: u16,
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Default for HttpTimes {
    fn default() -> Self {
        Self {
            places: (0..PAIRS).map(|_| OnceLock::new()).collect(),
            rest: Series::new("other", 0),
        }
    }
}

impl HttpTimes {
    /// Notes a request: the pattern of its route (never the path, which holds ids and tokens), its answer, its time.
    pub fn note(&self, route: &str, status: u16, time: Duration) {
        self.series(route, status).note(time);
    }

    fn series(&self, route: &str, status: u16) -> &Series {
        // FNV-1a: the keys are ours, so nobody can choose them to collide.
        let hash = route
            .bytes()
            .chain(status.to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits are wanted")]
        let start = hash as usize;
        for step in 0..PAIRS {
            let place = &self.places[start.wrapping_add(step) % PAIRS];
            let found = place.get_or_init(|| Box::new(Series::new(route, status)));
            if found.status == status && *found.route == *route {
                return found;
            }
        }
        &self.rest
    }

    pub(super) fn show(&self, text: &mut Text) {
        text.family(
            NAME,
            "histogram",
            "Time from a request's headers to its answer's, by the route's pattern; - is where no route is.",
        );
        let mut all: Vec<&Series> = self
            .places
            .iter()
            .filter_map(OnceLock::get)
            .map(AsRef::as_ref)
            .collect();
        all.sort_by_key(|series| (&series.route, series.status));
        if self
            .rest
            .buckets
            .iter()
            .any(|cell| cell.load(Ordering::Relaxed) > 0)
        {
            all.push(&self.rest);
        }
        for series in all {
            series.show(text);
        }
    }
}

impl Series {
    fn new(route: &str, status: u16) -> Self {
        Self {
            route: route.into(),
            status,
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            micros: AtomicU64::new(0),
        }
    }

    fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let nth = BOUNDS.iter().position(|bound| micros <= *bound);
        self.buckets[nth.unwrap_or(BOUNDS.len())].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn show(&self, text: &mut Text) {
        let mut below = 0;
        let bounds = BOUNDS
            .iter()
            .map(|micros| Duration::from_micros(*micros).as_secs_f64())
            .chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds
            .zip(&self.buckets)
            .map(|(bound, cell)| {
                below += cell.load(Ordering::Relaxed);
                (bound, below)
            })
            .collect();
        let status = self.status.to_string();
        let labels = [("route", &*self.route), ("status", status.as_str())];
        let sum = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        text.histogram(NAME, &labels, &buckets, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_and_status_is_one_series_and_too_many_share_one() {
        let times = HttpTimes::default();
        for _ in 0..3 {
            times.note("/a/{id}", 200, Duration::from_micros(300));
        }
        times.note("/a/{id}", 404, Duration::from_secs(9));
        for n in 0..2_000 {
            times.note(&format!("/made/up/{n}"), 200, Duration::ZERO);
        }
        let mut text = Text::default();
        times.show(&mut text);
        let text = text.finish();
        for line in [
            "gatepost_http_request_seconds_bucket{route=\"/a/{id}\",status=\"200\",le=\"0.00025\"} 0",
            "gatepost_http_request_seconds_bucket{route=\"/a/{id}\",status=\"200\",le=\"0.0005\"} 3",
            "gatepost_http_request_seconds_sum{route=\"/a/{id}\",status=\"200\"} 0.0009",
            "gatepost_http_request_seconds_bucket{route=\"/a/{id}\",status=\"404\",le=\"5\"} 0",
            "gatepost_http_request_seconds_count{route=\"/a/{id}\",status=\"404\"} 1",
            "gatepost_http_request_seconds_count{route=\"other\",status=\"0\"} 978",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line}");
        }
    }
}
