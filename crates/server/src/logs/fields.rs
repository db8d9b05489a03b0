//! A span's fields as a JSON object.
//!
//! Every request opens a span, few are ever written into a line. The formatter that comes with the JSON lines makes a tree
//! of each span's fields first, which was a tenth of what a request costs; this writes the text at once.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// Writes `{"name":value,...}`, which is what the formatter of JSON lines takes fields to be.
#[derive(Debug)]
pub(super) struct JsonObject;

impl<'w> FormatFields<'w> for JsonObject {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        writer.write_str(&Members::after("{").and(fields)?)
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let open = current.fields.strip_suffix('}').unwrap_or("{");
        current.fields = Members::after(open).and(fields)?;
        Ok(())
    }
}

/// What a request's span takes.
const ROOM: usize = 160;

/// The members of an object that is open.
struct Members {
    text: String,
    result: fmt::Result,
}

impl Members {
    fn after(open: &str) -> Self {
        let mut text = String::with_capacity(ROOM);
        text.push_str(open);
        Self { text, result: Ok(()) }
    }

    fn and<R: RecordFields>(mut self, fields: R) -> Result<String, fmt::Error> {
        fields.record(&mut self);
        self.result?;
        self.text.push('}');
        Ok(self.text)
    }

    fn member(&mut self, field: &Field, value: impl FnOnce(&mut String) -> fmt::Result) {
        if self.result.is_err() {
            return;
        }
        let name = field.name();
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.text.push_str("\":");
        self.result = value(&mut self.text);
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.member(field, |to| {
            if value.is_finite() {
                write!(to, "{value}")
            } else {
                to.write_str("null")
            }
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |to| write!(to, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |to| write!(to, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |to| write!(to, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |to| {
            to.push('"');
            Escaping(to).write_str(value)?;
            to.push('"');
            Ok(())
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field, |to| {
            to.push('"');
            write!(Escaping(to), "{value:?}")?;
            to.push('"');
            Ok(())
        });
    }
}

/// Text between the quotes of a JSON string.
struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            // What is escaped is one byte long, so that both sides of it are whole.
            self.0.push_str(&text[plain..at]);
            match byte {
                b'"' => self.0.push_str("\\\""),
                b'\\' => self.0.push_str("\\\\"),
                _ => write!(self.0, "\\u{byte:04x}")?,
            }
            plain = at + 1;
        }
        self.0.push_str(&text[plain..]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Registry, fmt};

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

    /// What one line says of its span.
    fn span_of(said: impl FnOnce()) -> Value {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer()
            .json()
            .with_span_list(false)
            .fmt_fields(JsonObject)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), said);
        let text = lines.0.lock().unwrap().clone();
        let line: Value = serde_json::from_slice(&text).unwrap();
        line["span"].clone()
    }

    #[test]
    fn every_kind_of_field_is_the_json_that_it_is() {
        let said = || {
            let odd = "a \"quoted\" \\ path\nand \u{7} Ж";
            let span = tracing::info_span!(
                "work", odd, n = -3, u = 7_u64, half = 0.5, nan = f64::NAN, yes = true, debug = ?Some("x"), r#type = "t",
                later = tracing::field::Empty, last = tracing::field::Empty
            );
            span.record("later", "on");
            span.record("last", 1);
            span.in_scope(|| tracing::info!("said"));
        };
        assert_eq!(
            span_of(said),
            json!({
                "name": "work", "odd": "a \"quoted\" \\ path\nand \u{7} Ж", "n": -3, "u": 7, "half": 0.5, "nan": null,
                "yes": true, "debug": "Some(\"x\")", "type": "t", "later": "on", "last": 1,
            })
        );
    }

    #[test]
    fn a_span_without_fields_takes_some_later() {
        let said = || {
            let span = tracing::info_span!("work", later = tracing::field::Empty);
            span.record("later", "on");
            span.in_scope(|| tracing::info!("said"));
        };
        assert_eq!(span_of(said), json!({ "name": "work", "later": "on" }));
    }
}
