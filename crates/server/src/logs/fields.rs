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
        writer.write_char('{')?;
        Members::after(writer, true).write_all(fields)
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        if current.fields.pop().is_none() {
            current.fields.push('{');
        }
        let first = current.fields.ends_with('{');
        Members::after(current.as_writer(), first).write_all(fields)
    }
}

/// The members of an object that is open.
struct Members<'w> {
    writer: Writer<'w>,
    first: bool,
    result: fmt::Result,
}

impl<'w> Members<'w> {
    fn after(writer: Writer<'w>, first: bool) -> Self {
        Self {
            writer,
            first,
            result: Ok(()),
        }
    }

    fn write_all<R: RecordFields>(mut self, fields: R) -> fmt::Result {
        fields.record(&mut self);
        self.result?;
        self.writer.write_char('}')
    }

    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'w>) -> fmt::Result) {
        if self.result.is_err() {
            return;
        }
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        let comma = if self.first { "" } else { "," };
        self.first = false;
        self.result = write!(self.writer, "{comma}\"{name}\":").and_then(|()| value(&mut self.writer));
    }
}

impl Visit for Members<'_> {
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
            to.write_char('"')?;
            Escaping(to).write_str(value)?;
            to.write_char('"')
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field, |to| {
            to.write_char('"')?;
            write!(Escaping(to), "{value:?}")?;
            to.write_char('"')
        });
    }
}

/// Text between the quotes of a JSON string.
struct Escaping<'a, W>(&'a mut W);

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            // What is escaped is one byte long, so that both sides of it are whole.
            self.0.write_str(&text[plain..at])?;
            match byte {
                b'"' | b'\\' => {
                    self.0.write_char('\\')?;
                    self.0.write_char(char::from(byte))?;
                }
                _ => write!(self.0, "\\u{byte:04x}")?,
            }
            plain = at + 1;
        }
        self.0.write_str(&text[plain..])
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
