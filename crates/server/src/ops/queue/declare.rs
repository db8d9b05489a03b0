//! `gatepost queue declare`.

use serde_json::{Value, json};

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::count;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let app = context.app().await?;
    let topology = app.broker().topology();
    let drift = app.broker().declare(&topology).await?;
    let (queues, exchanges) = (topology.queues().count(), topology.exchanges().count());
    let differences: Vec<Value> = drift
        .differences
        .iter()
        .map(|one| {
            json!({"entity": one.entity, "what": one.what, "wanted": one.wanted, "stands": one.stands, "text": one.to_string()})
        })
        .collect();
    let answer = json!({
        "broker": if app.broker().is_rabbitmq() { "rabbitmq" } else { "embedded" },
        "queues": queues,
        "exchanges": exchanges,
        "drift": differences,
    });
    context.answer(&answer, || {
        if !app.broker().is_rabbitmq() {
            return "The embedded broker makes queues as they are needed: there is nothing to declare."
                .to_owned();
        }
        let made = format!(
            "{} and {} stand.",
            count(queues as u64, "queue"),
            count(exchanges as u64, "exchange")
        );
        if drift.is_empty() {
            made
        } else {
            format!("{drift}\n{made} What stands otherwise is used as it is and was not changed.")
        }
    })?;
    if drift.is_empty() {
        Ok(())
    } else {
        Err(Failure::said())
    }
}
