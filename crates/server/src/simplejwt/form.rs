//! `application/x-www-form-urlencoded`.

use super::value::Value;

pub(super) fn parse(body: &[u8]) -> Value {
    let fields = form_urlencoded::parse(body);
    Value::Dict(
        fields
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect(),
    )
}
