//! `gatepost mail show`.

use uuid::Uuid;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{table, time};

pub(super) async fn run(context: &Context, id: Uuid) -> Result<(), Failure> {
    let app = context.app().await?;
    let Some(found) = app.mailer.show(id).await? else {
        return Err(Failure::no(
            "there is no delivery of that id; `gatepost mail list` shows them",
        ));
    };
    let now = app.now();
    context.answer(&found, || {
        let d = &found.delivery;
        let put_off = match d.attempts {
            0 => String::new(),
            times => format!(", put off {times} times"),
        };
        let mut lines = vec![
            format!("id        {}", d.id),
            format!(
                "to        {}",
                d.to.as_deref()
                    .unwrap_or("not known yet: an account letter is made when it is sent")
            ),
            format!(
                "template  {} ({})",
                d.template,
                d.locale.as_deref().unwrap_or("default language")
            ),
            format!("state     {}{put_off}", d.state),
            format!("asked for {}", time(d.created_at, now)),
            format!(
                "starts    {}, final dots {}, copies that the reader may have {}",
                d.starts, d.dots, d.possible_copies
            ),
        ];
        lines.extend(d.expires_at.map(|at| format!("expires   {}", time(at, now))));
        lines.extend(d.next_attempt_at.map(|at| format!("next try  {}", time(at, now))));
        lines.extend(d.sent_at.map(|at| format!("sent      {}", time(at, now))));
        lines.extend(d.bounced_at.map(|at| format!("came back {}", time(at, now))));
        lines.extend(d.resent_as.map(|id| format!("resent as {id}")));
        lines.extend(d.reply.as_ref().map(|reply| format!("reply     {reply}")));
        let rows: Vec<_> = found
            .timeline
            .iter()
            .map(|e| {
                let times = if e.times > 1 {
                    format!("{} times", e.times)
                } else {
                    String::new()
                };
                vec![
                    e.at.to_string(),
                    e.event.clone(),
                    times,
                    e.detail.clone().unwrap_or_default(),
                ]
            })
            .collect();
        lines.push(String::new());
        lines.push(table(&["WHEN", "WHAT", "", "DETAIL"], &rows));
        lines.join("\n")
    })
}
