//! The mailer: templates, seal and store in one hand.

use std::sync::Arc;

use gatepost_messaging::Outbox;
use gatepost_storage::deliveries::{self, DeliveryFilter};
use gatepost_storage::{
    Store, Timestamp, delivery_decisions, delivery_events, inbox, mail_keys, suppressions,
};
use serde::Serialize;
use uuid::Uuid;

use super::views::{Delivery, DeliveryWithTimeline};
use super::{MailError, MailerSettings};
use crate::seal::Sealer;
use crate::transport::{CapturedMail, open_captured};
use crate::{EmailAddress, Templates};

/// Most entries of a list.
const MAX_LIMIT: u32 = 500;

/// Takes letters and tells what became of them. Cheap to clone.
///
/// Needs the table sets `Messaging` and `Mail`. Letters leave when a [worker](Self::worker) runs, here
/// or in another process on the same database.
#[derive(Debug, Clone)]
pub struct Mailer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    templates: Templates,
    sealer: Sealer,
    settings: MailerSettings,
    outbox: Outbox,
}

/// Which deliveries to list. What is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// In this state.
    pub state: Option<String>,
    /// Of this template.
    pub template: Option<String>,
    /// To this address.
    pub to: Option<EmailAddress>,
    /// Older than this delivery.
    pub after: Option<Uuid>,
    /// At most so many; 0 means 50, and 500 is the most.
    pub limit: u32,
}

/// Which captured mail to list.
#[derive(Debug, Clone, Default)]
pub struct InboxFilter {
    /// To this address.
    pub to: Option<EmailAddress>,
    /// After this [`CapturedMail::cursor`].
    pub after: Option<i64>,
    /// At most so many; 0 means 50, and 500 is the most.
    pub limit: u32,
}

/// What a sweep deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MailSwept {
    /// Deliveries with their timelines.
    pub deliveries: u64,
    /// Captured letters.
    pub inbox: u64,
    /// Idempotency keys.
    pub keys: u64,
    /// Suppressions that ended by themselves.
    pub suppressions: u64,
}

impl Mailer {
    /// Over a store whose sets `Messaging` and `Mail` are migrated.
    pub fn new(store: &Store, templates: Templates, sealer: Sealer, settings: MailerSettings) -> Self {
        let (store, outbox) = (store.clone(), Outbox::new(store));
        Self {
            inner: Arc::new(Inner {
                store,
                templates,
                sealer,
                settings,
                outbox,
            }),
        }
    }

    /// Deliveries, newest first.
    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<Delivery>, MailError> {
        let rows = DeliveryFilter {
            state: filter.state.clone(),
            template: filter.template.clone(),
            recipient_hashes: self.hashes(filter.to.as_ref()),
            after: filter.after,
        };
        let limit = limit(filter.limit);
        let rows = self.store().read("list_deliveries", move |tx| {
            let rows = rows.clone();
            Box::pin(async move { deliveries::list(tx, &rows, limit).await })
        });
        Ok(rows.await?.into_iter().map(Delivery::from).collect())
    }

    /// One delivery with its timeline.
    pub async fn show(&self, id: Uuid) -> Result<Option<DeliveryWithTimeline>, MailError> {
        let found = self.store().read("show_delivery", move |tx| {
            Box::pin(async move {
                let Some(row) = deliveries::get(tx, id).await? else {
                    return Ok(None);
                };
                let timeline = delivery_events::of(tx, id).await?;
                let all = deliveries::of_message(tx, row.message_id).await?;
                Ok::<_, gatepost_storage::Error>(Some((row, timeline, all)))
            })
        });
        Ok(found.await?.map(|(row, timeline, all)| DeliveryWithTimeline {
            delivery: row.into(),
            timeline: timeline.into_iter().map(Into::into).collect(),
            copies: all
                .into_iter()
                .filter(|copy| copy.id != id)
                .map(Into::into)
                .collect(),
        }))
    }

    /// The newest letters to an address, and those about these (`user:ID`, `registration:ID`) whose address is
    /// not known yet.
    pub async fn letters_of(
        &self,
        address: &EmailAddress,
        abouts: &[String],
        limit_to: u32,
    ) -> Result<Vec<Delivery>, MailError> {
        let (hashes, abouts, limit) = (self.hashes(Some(address)), abouts.to_vec(), limit(limit_to));
        let rows = self.store().read("list_letters_of", move |tx| {
            let (hashes, abouts) = (hashes.clone(), abouts.clone());
            Box::pin(async move { delivery_decisions::of_reader(tx, &hashes, &abouts, limit).await })
        });
        Ok(rows.await?.into_iter().map(Delivery::from).collect())
    }

    /// How many deliveries there are in each state.
    pub async fn counts(&self) -> Result<Vec<(String, i64)>, MailError> {
        Ok(self
            .store()
            .read("count_deliveries", |tx| Box::pin(deliveries::count_by_state(tx)))
            .await?)
    }

    /// Captured mail, oldest first. Letters sealed with a secret that this program no longer has are
    /// left out.
    pub async fn inbox(&self, filter: &InboxFilter) -> Result<Vec<CapturedMail>, MailError> {
        let hashes = self.hashes(filter.to.as_ref());
        let (after, limit) = (filter.after.unwrap_or(0), limit(filter.limit));
        let rows = self.store().read("list_inbox", move |tx| {
            let hashes = hashes.clone();
            Box::pin(async move { inbox::list(tx, &hashes, after, limit).await })
        });
        Ok(rows
            .await?
            .into_iter()
            .filter_map(|row| open_captured(self.sealer(), &row).ok())
            .collect())
    }

    /// The newest captured mail before a cursor, newest first: for people.
    pub async fn inbox_newest(
        &self,
        before: Option<i64>,
        limit_to: u32,
    ) -> Result<Vec<CapturedMail>, MailError> {
        let limit = limit(limit_to);
        let rows = self.store().read("newest_inbox", move |tx| {
            Box::pin(inbox::newest(tx, before, limit))
        });
        Ok(rows
            .await?
            .into_iter()
            .filter_map(|row| open_captured(self.sealer(), &row).ok())
            .collect())
    }

    /// One captured letter.
    pub async fn inbox_get(&self, id: Uuid) -> Result<Option<CapturedMail>, MailError> {
        let row = self
            .store()
            .read("get_inbox", move |tx| Box::pin(inbox::get(tx, id)))
            .await?;
        Ok(row.map(|row| open_captured(self.sealer(), &row)).transpose()?)
    }

    /// Deletes letters that ended before `before` (`retention.mail` ago), captured mail of that age, and
    /// idempotency keys whose day is over. In small transactions with rests between; safe to run anywhere, any time.
    pub async fn sweep(&self, before: Timestamp) -> Result<MailSwept, MailError> {
        let store = self.store();
        Ok(MailSwept {
            deliveries: store
                .sweep("sweep_deliveries", move |tx, limit| {
                    Box::pin(deliveries::sweep(tx, before, limit))
                })
                .await?,
            inbox: store
                .sweep("sweep_inbox", move |tx, limit| {
                    Box::pin(inbox::sweep(tx, before, limit))
                })
                .await?,
            keys: store
                .sweep("sweep_mail_keys", |tx, limit| {
                    Box::pin(mail_keys::sweep(tx, limit))
                })
                .await?,
            suppressions: store
                .sweep("sweep_suppressions", |tx, limit| {
                    Box::pin(suppressions::sweep(tx, limit))
                })
                .await?,
        })
    }

    /// The templates that letters are rendered with.
    pub fn templates(&self) -> &Templates {
        &self.inner.templates
    }

    /// What letters are sealed with.
    pub fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    /// How it is set up.
    pub fn settings(&self) -> &MailerSettings {
        &self.inner.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.inner.outbox
    }

    fn hashes(&self, address: Option<&EmailAddress>) -> Vec<Vec<u8>> {
        let hashes = address
            .map(|address| self.sealer().address_hashes(address))
            .unwrap_or_default();
        hashes.into_iter().map(|hash| hash.to_vec()).collect()
    }
}

pub(super) fn limit(asked: u32) -> i64 {
    i64::from(if asked == 0 { 50 } else { asked.min(MAX_LIMIT) })
}
