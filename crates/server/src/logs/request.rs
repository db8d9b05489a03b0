//! Which request a line is about.
//!
//! Each request is known to the lines that are written while it is handled. It could be a span, which would be put down
//! and taken up again for every request, an eighth of what a small one costs, and be read for a few. So it is kept with the
//! task as it is and made into text by the line that needs it. At level debug there is a span as well, for programs that
//! have Gatepost inside themselves and their own subscriber; then the line has that.

use std::fmt;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::MatchedPath;
use axum::http::{HeaderValue, Method};
use serde::Serialize;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::auth::arrival::network;

tokio::task_local! {
    static CURRENT: InHand;
}

/// A number for finding a request in the log: a random start for each process, then counting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(u64);

impl RequestId {
    pub(crate) fn next() -> Self {
        static NEXT: LazyLock<AtomicU64> =
            LazyLock::new(|| AtomicU64::new(u64::from_be_bytes(crate::random::bytes())));
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// What `X-Request-Id` says.
    pub(crate) fn header(self) -> HeaderValue {
        let digit = |nth: u64| b"0123456789abcdef"[(self.0 >> (60 - 4 * nth) & 0xf) as usize];
        let text: [u8; 16] = std::array::from_fn(|nth| digit(nth as u64));
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A request that is being handled.
#[derive(Debug, Clone)]
pub(crate) struct InHand {
    pub(crate) id: RequestId,
    pub(crate) method: Method,
    /// The pattern, never the path itself: a path or a query may hold a token.
    pub(crate) route: Option<MatchedPath>,
    pub(crate) client: IpAddr,
}

impl InHand {
    /// The lines that are written during `work` are about this request.
    pub(crate) fn during<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    pub(crate) fn route(&self) -> &str {
        self.route.as_ref().map_or("-", MatchedPath::as_str)
    }

    /// Where it came from, as far as a log may know.
    pub(crate) fn network(&self) -> String {
        network(self.client)
    }
}

/// What a JSON line says of it, as it would of a span.
#[derive(Serialize)]
struct Span<'a> {
    name: &'static str,
    id: String,
    method: &'a str,
    route: &'a str,
    network: &'a str,
}

/// How a line is written, and after it of which request.
pub(super) enum About<F> {
    Json(F),
    Text(F),
}

impl<S, N, F> FormatEvent<S, N> for About<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (Self::Json(format) | Self::Text(format)) = self;
        let request = CURRENT.try_with(InHand::clone).ok();
        let Some(request) = request.filter(|_| context.lookup_current().is_none()) else {
            return format.format_event(context, writer, event);
        };
        let mut line = String::with_capacity(512);
        format.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        let network = request.network();
        match self {
            Self::Json(_) => {
                let span = Span {
                    name: "request",
                    id: request.id.to_string(),
                    method: request.method.as_str(),
                    route: request.route(),
                    network: &network,
                };
                let span = serde_json::to_string(&span).map_err(|_| fmt::Error)?;
                let open = line.strip_suffix('}').ok_or(fmt::Error)?;
                writeln!(writer, "{open},\"span\":{span}}}")
            }
            Self::Text(_) => writeln!(
                writer,
                "{line} ({} {} from {network}, request {})",
                request.method,
                request.route(),
                request.id
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt;
    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Layer, Registry, fmt};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

    fn written(layer: impl FnOnce(Lines) -> Boxed, said: impl FnOnce()) -> String {
        let lines = Lines::default();
        tracing::subscriber::with_default(Registry::default().with(layer(lines.clone())), said);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    fn json(lines: Lines) -> Boxed {
        let layer = fmt::layer().json().flatten_event(true).with_span_list(false);
        let layer = layer.map_event_format(About::Json);
        layer.with_writer(move || lines.clone()).boxed()
    }

    fn text(lines: Lines) -> Boxed {
        let layer = fmt::layer().without_time().with_target(false).with_ansi(false);
        let layer = layer.map_event_format(About::Text);
        layer.with_writer(move || lines.clone()).boxed()
    }

    fn request(work: impl FnOnce()) {
        let request = InHand {
            id: RequestId(0xab),
            method: Method::POST,
            route: None,
            client: [192, 0, 2, 7].into(),
        };
        request.during(async { work() }).now_or_never().unwrap();
    }

    #[test]
    fn a_line_tells_of_which_request_it_is() {
        let line = written(json, || request(|| tracing::info!(n = 1, "it's \"said\"")));
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            line["span"],
            json!({ "name": "request", "id": "00000000000000ab", "method": "POST", "route": "-", "network": "192.0.2.0/24" })
        );
        assert_eq!(
            (&line["message"], &line["n"]),
            (&json!("it's \"said\""), &json!(1))
        );

        let line = written(text, || request(|| tracing::info!(n = 1, "said")));
        assert_eq!(
            line.trim_start(),
            "INFO said n=1 (POST - from 192.0.2.0/24, request 00000000000000ab)\n"
        );
    }

    #[test]
    fn the_answer_and_the_log_say_the_same_id() {
        for number in [0, 0xab, 0x0123_4567_89ab_cdef, u64::MAX] {
            let id = RequestId(number);
            assert_eq!(id.header().to_str().unwrap(), id.to_string());
        }
    }

    #[test]
    fn a_line_of_no_request_is_as_it_was() {
        let line: Value = serde_json::from_str(&written(json, || tracing::info!("said"))).unwrap();
        assert_eq!(line.get("span"), None);
        assert_eq!(
            written(text, || tracing::info!("said")).trim_start(),
            "INFO said\n"
        );
    }

    #[test]
    fn where_there_is_a_span_it_is_told_once() {
        let said = || {
            request(|| tracing::debug_span!("request", id = "span").in_scope(|| tracing::info!("said")));
        };
        let line = written(json, said);
        assert_eq!(line.matches("\"span\"").count(), 2, "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["span"], json!({ "name": "request", "id": "span" }));
        assert!(!written(text, said).contains("from"));
    }
}
