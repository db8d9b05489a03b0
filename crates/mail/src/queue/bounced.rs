//! Letters that came back: what a report says becomes the state of a delivery, if whoever says so may.

use std::sync::Arc;

use gatepost_storage::deliveries::{self, DeliveryRow};
use gatepost_storage::suppressions::{self, NewSuppression};
use gatepost_storage::{Tx, delivery_decisions, delivery_events};
use serde::Serialize;
use uuid::Uuid;

use super::suppress::Suppressor;
use super::{LetterNews, MailError, Mailer, NewsKind};
use crate::bounce::{Action, Report, Status};
use crate::{EmailAddress, verp};

/// Characters of a server's words that are kept.
const LONGEST_DETAIL: usize = 300;

/// A letter that is said to have come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BounceClaim {
    /// The delivery, if that is known for sure: an id, or an address that carries our code.
    pub delivery: Option<Uuid>,
    /// The mail's id, from its `Message-ID`.
    pub message_id: Option<Uuid>,
    /// Whom it was for, under every address that is known: tells the deliveries of one mail apart.
    pub recipients: Vec<String>,
    /// What became of it.
    pub action: Action,
    /// The enhanced status code.
    pub status: Option<Status>,
    /// The words of whoever refused it. Addresses in them are masked before they are kept.
    pub detail: Option<String>,
}

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BounceNoted {
    /// The delivery; none if the claim fits none of ours.
    pub id: Option<Uuid>,
    /// Its state from now on.
    pub state: Option<String>,
    /// What stands in its timeline: `bounced`, `delayed`, `delivered`, `complaint`.
    pub event: Option<&'static str>,
    /// Whether this was news. A letter comes back once.
    pub counted: bool,
    /// Whether its address is left alone from now on because of it.
    pub suppressed: bool,
}

impl BounceNoted {
    const UNMATCHED: Self = Self {
        id: None,
        state: None,
        event: None,
        counted: false,
        suppressed: false,
    };
}

impl Mailer {
    /// The claims in a report. `also_to`: where the report came to, if the server that took it says so.
    ///
    /// The delivery of a claim is set only by an address that carries our code; whoever has a key may also be
    /// believed by `Message-ID`. See [`BounceClaim::is_proven`].
    pub fn claims(&self, report: &Report, also_to: Option<&str>) -> Vec<BounceClaim> {
        let proven = report
            .came_to
            .iter()
            .map(String::as_str)
            .chain(also_to)
            .find_map(|address| self.delivery_of(address));
        let message_id = report.message_id.as_deref().and_then(message_id);
        let claim = |returned: &crate::bounce::Returned| BounceClaim {
            delivery: proven,
            message_id,
            recipients: returned.recipients.clone(),
            action: returned.action,
            status: returned.status,
            detail: returned.diagnostic.clone(),
        };
        let mut claims: Vec<BounceClaim> = report.returned.iter().map(claim).collect();
        if proven.is_some() {
            // The address names one delivery, which had one recipient: what failed counts before what did not.
            claims.sort_by_key(|claim| claim.action != Action::Failed);
            claims.truncate(1);
        }
        claims
    }

    /// The delivery that an address of ours names (`mail.bounce_address` with its tag).
    pub fn delivery_of(&self, address: &str) -> Option<Uuid> {
        verp::delivery(self.sealer(), address)
    }

    /// Notes letters that came back; what each claim came to.
    pub async fn bounced(&self, claims: Vec<BounceClaim>) -> Result<Vec<BounceNoted>, MailError> {
        let (mailer, claims) = (self.clone(), Arc::new(claims));
        let noted = self.store().run_tx("note_bounces", move |tx| {
            let (mailer, claims) = (mailer.clone(), Arc::clone(&claims));
            Box::pin(async move {
                let mut noted = Vec::with_capacity(claims.len());
                for claim in &*claims {
                    noted.push(mailer.note_bounce(tx, claim).await?);
                }
                Ok::<_, MailError>(noted)
            })
        });
        noted.await
    }

    async fn note_bounce(&self, tx: &mut Tx<'_>, claim: &BounceClaim) -> Result<BounceNoted, MailError> {
        let Some(row) = self.bounced_row(tx, claim).await? else {
            return Ok(BounceNoted::UNMATCHED);
        };
        let detail = claim.words();
        let (event, source) = match claim.action {
            Action::Failed => ("bounced", Suppressor::Bounced),
            Action::Delayed => ("delayed", Suppressor::Bounced),
            Action::Delivered => ("delivered", Suppressor::Bounced),
            Action::Complaint => ("complaint", Suppressor::Complaint),
        };
        let given_away = row.sent_at.is_some() || matches!(row.state.as_str(), "handed_over" | "unknown");
        let news = match claim.action {
            // A row that was never sent can't come back; one that came back did.
            Action::Failed => delivery_decisions::set_bounced(tx, row.id, &detail).await?,
            _ => given_away,
        };
        let mut noted = BounceNoted {
            id: Some(row.id),
            state: Some(row.state.clone()),
            event: Some(event),
            counted: news,
            suppressed: false,
        };
        if !news {
            return Ok(noted);
        }
        delivery_events::note(tx, row.id, event, Some(&detail)).await?;
        if claim.action == Action::Failed {
            noted.state = Some("failed".to_owned());
            let news = LetterNews {
                kind: NewsKind::Bounced,
                ..LetterNews::failed(&row, "failed")
            };
            self.tell(tx, &[news]).await?;
        }
        let hopeless = claim.action == Action::Failed && claim.status.is_some_and(Status::names_no_mailbox);
        if (hopeless || claim.action == Action::Complaint)
            && let (Some(hash), Some(masked)) = (&row.recipient_hash, &row.recipient)
        {
            let new = NewSuppression {
                hash,
                masked,
                source: source.as_str(),
                reason: &detail,
            };
            noted.suppressed = suppressions::insert(tx, &new).await?;
        }
        Ok(noted)
    }

    /// The delivery that a claim is about, if it is one of ours.
    async fn bounced_row(
        &self,
        tx: &mut Tx<'_>,
        claim: &BounceClaim,
    ) -> Result<Option<DeliveryRow>, MailError> {
        if let Some(id) = claim.delivery {
            return Ok(deliveries::get(tx, id).await?);
        }
        let Some(message_id) = claim.message_id else {
            return Ok(None);
        };
        let mut rows = deliveries::of_message(tx, message_id).await?;
        if rows.len() < 2 {
            // Forwarded mail comes back under an address that we never knew.
            return Ok(rows.pop());
        }
        let hashes: Vec<[u8; 32]> = claim
            .recipients
            .iter()
            .filter_map(|address| address.parse::<EmailAddress>().ok())
            .flat_map(|address| self.sealer().address_hashes(&address))
            .collect();
        let ours = |row: &DeliveryRow| {
            let hash = row.recipient_hash.as_deref();
            hash.is_some_and(|hash| hashes.iter().any(|known| known == hash))
        };
        Ok(rows.into_iter().find(ours))
    }

    /// Where a letter comes back to: the bounce address with the delivery's tag, or the sender.
    pub(crate) fn envelope_sender(&self, delivery: Uuid, from: &EmailAddress) -> EmailAddress {
        match &self.settings().bounce_address {
            Some(base) => verp::address(self.sealer(), base, delivery),
            None => from.clone(),
        }
    }
}

impl BounceClaim {
    /// Whether the delivery is named by something that only we can have made.
    pub fn is_proven(&self) -> bool {
        self.delivery.is_some()
    }

    fn words(&self) -> String {
        let said = self.detail.as_deref().map(masked).unwrap_or_default();
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        let said = if said.contains(&status) || status.is_empty() {
            said
        } else {
            format!("{status} {said}")
        };
        let said = said.trim();
        let came = match self.action {
            Action::Failed => "came back",
            Action::Delayed => "is being tried again by the mail server",
            Action::Delivered => "was delivered",
            Action::Complaint => "was called unwanted",
        };
        if said.is_empty() {
            came.to_owned()
        } else {
            format!("{came}: {said}")
        }
    }
}

/// The mail's id in one of our `Message-ID`s: `<id@domain>`, or the id alone.
pub fn message_id(header: &str) -> Option<Uuid> {
    let inner = header.trim().trim_start_matches('<');
    inner.split(['@', '>']).next()?.parse().ok()
}

/// One line without control characters, cut, whatever looks like an address masked.
fn masked(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_DETAIL)
        .collect();
    let words = plain.split_whitespace().map(|word| {
        if !word.contains('@') {
            return word.to_owned();
        }
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let hidden = bare
            .parse::<EmailAddress>()
            .map_or_else(|_| "***@***".to_owned(), |address| address.masked());
        if bare.is_empty() {
            hidden
        } else {
            word.replace(bare, &hidden)
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_is_kept() {
        let text =
            "550 5.1.1 <ann.lee@example.com>: no\r\nsuch user: ann.lee@example.com,@x (bob@example.org)";
        let kept = masked(text);
        assert!(!kept.contains("ann") && !kept.contains("bob"), "{kept}");
        assert!(
            kept.starts_with("550 5.1.1 <a***@e***.com>:") && !kept.contains('\n'),
            "{kept}"
        );
    }

    #[test]
    fn only_ids_of_ours_are_read() {
        let id = Uuid::from_u128(7);
        assert_eq!(message_id(&format!("<{id}@example.com>")), Some(id));
        assert_eq!(message_id(&id.to_string()), Some(id));
        assert_eq!(message_id("<abc@example.com>"), None);
        assert_eq!(message_id(""), None);
    }
}
