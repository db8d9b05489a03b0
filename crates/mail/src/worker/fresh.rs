//! Starts of letters that have just come from another program: nothing can be known of them, so that the statement
//! that writes their rows notes their starts too.

use std::collections::HashSet;
use std::sync::Arc;

use gatepost_storage::deliveries::NewDelivery;
use gatepost_storage::deliveries_foreign::Foreign;
use gatepost_storage::{Tx, deliveries_begun, new_id};
use uuid::Uuid;

use super::LEASE;
use super::clerk::Clerk;
use super::left_alone::LeftAlone;
use super::start::{Asked, Facts, Job, Said, Start};
use crate::EmailAddress;
use crate::queue::MailError;

impl Clerk {
    /// Starts letters that nothing can be known of, with the statement that writes their rows. What is late, paused or
    /// to be left alone, and what turns out to be there already, is left to the others' way.
    pub(super) async fn begin_fresh(
        &self,
        tx: &mut Tx<'_>,
        asked: &[Arc<Asked>],
    ) -> Result<Vec<Option<Start>>, MailError> {
        let (now, lease) = (tx.now(), new_id(tx.now()));
        let mut starts: Vec<Option<Start>> = asked.iter().map(|_| None).collect();
        let fresh = asked.iter().enumerate().filter_map(|(nth, asked)| {
            let Said::Letter { to, request, .. } = &asked.said else {
                return None;
            };
            let late = asked.expires_at.is_some_and(|at| at <= now);
            let goes = asked.is_new && !late && !self.brake.holds(request.template());
            goes.then_some((nth, asked, to))
        });
        let fresh: Vec<(usize, &Arc<Asked>, &EmailAddress)> = fresh.collect();
        if fresh.is_empty() {
            return Ok(starts);
        }
        let left_alone =
            LeftAlone::among(tx, self.mailer.sealer(), fresh.iter().map(|(_, _, to)| *to)).await?;
        let going = fresh.into_iter().enumerate();
        let going = going.filter(|(place, _)| left_alone.of(*place).is_none());
        let (going, facts): (Vec<(usize, &Arc<Asked>)>, Vec<Facts>) = going
            .map(|(place, (nth, asked, to))| ((nth, asked), Facts::letter(to, left_alone.hash(place))))
            .unzip();
        let new: Vec<(NewDelivery<'_>, Option<&Foreign>)> = going
            .iter()
            .zip(&facts)
            .map(|((_, asked), facts)| (asked.new_delivery(facts), asked.foreign.as_ref()))
            .collect();
        let won = deliveries_begun::begin(tx, &new, lease, now + LEASE).await?;
        let won: HashSet<Uuid> = won.into_iter().collect();
        for (nth, asked) in going {
            if let Said::Letter {
                message_id,
                to,
                request,
            } = &asked.said
                && won.contains(&asked.id)
            {
                starts[nth] = Some(Start::Send(Box::new(Job {
                    id: asked.id,
                    message_id: *message_id,
                    lease,
                    to: to.clone(),
                    request: Arc::clone(request),
                    intent: None,
                    attempts: asked.foreign.as_ref().map_or(0, |foreign| foreign.tried),
                    open_dots: 0,
                    faults: 0,
                    started_at: now,
                    accepted_at: now,
                    expires_at: asked.expires_at,
                    suppressed: false,
                })));
            }
        }
        Ok(starts)
    }
}
