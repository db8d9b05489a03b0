//! `gatepost queue list`.

use std::time::Duration;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{span, table};
use crate::queues::Desk;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let app = context.app().await?;
    let queues = Desk::new(&app).list().await?;
    context.answer(&serde_json::json!({ "items": queues }), || {
        if queues.is_empty() {
            return "There is none.".to_owned();
        }
        let rows: Vec<Vec<String>> = queues
            .iter()
            .map(|queue| {
                let oldest = queue.oldest_seconds.map(|age| span(Duration::from_secs(age)));
                vec![
                    queue.queue.clone(),
                    queue.place.to_owned(),
                    queue.ready.to_string(),
                    queue.delayed.to_string(),
                    queue.in_hand.to_string(),
                    queue.dead.to_string(),
                    oldest.unwrap_or_default(),
                ]
            })
            .collect();
        table(
            &["QUEUE", "PLACE", "READY", "DELAYED", "IN HAND", "DEAD", "OLDEST"],
            &rows,
        )
    })
}
