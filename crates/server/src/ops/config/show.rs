//! `gatepost config show`.

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::table;

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    let shown = config.shown();
    let items: Vec<_> = shown
        .iter()
        .map(|s| serde_json::json!({ "key": s.key, "value": s.value, "source": s.source.to_string() }))
        .collect();
    context.answer(&serde_json::json!({ "items": items }), || {
        let rows: Vec<_> = shown
            .iter()
            .map(|s| vec![s.key.clone(), s.value.clone(), s.source.to_string()])
            .collect();
        table(&["KEY", "VALUE", "FROM"], &rows)
    })
}
