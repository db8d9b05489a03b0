//! `gatepost key list`.

use gatepost_tokens::KeyInfo;

use super::value;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, table};

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let app = context.app().await?;
    let keys = app.tokens.list_keys().await?;
    let items: Vec<_> = keys.iter().map(value).collect();
    let now = app.now();
    context.answer(&serde_json::json!({ "items": items }), || {
        let rows: Vec<_> = keys
            .iter()
            .map(|key: &KeyInfo| {
                let when = |at| relative(at, now);
                let from = if key.derived {
                    "of the secret".to_owned()
                } else {
                    key.signs_from.map(when).unwrap_or_default()
                };
                vec![
                    key.kid.clone(),
                    key.algorithm.clone(),
                    key.state.as_str().to_owned(),
                    from,
                    key.verifies_until.map(when).unwrap_or_default(),
                    key.purposes.join(", "),
                ]
            })
            .collect();
        table(
            &["KID", "ALGORITHM", "STATE", "SIGNS", "VERIFIES UNTIL", "FOR"],
            &rows,
        )
    })
}
