//! Reports of letters that came back: delivery status notifications (RFC 3464) and complaints (RFC 5965), as
//! mail servers in the world write them.
//!
//! The reader takes whatever comes: it never fails on a strange report, it finds less in it. What it finds is
//! a claim; who may make it is decided elsewhere.

mod mime;

pub use crate::status::Status;
use mime::{Entity, Headers};

/// What a report says became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nobody will try again.
    Failed,
    /// Somebody still tries.
    Delayed,
    /// It arrived, or was given to somebody who does not tell.
    Delivered,
    /// The reader called it unwanted.
    Complaint,
}

/// What a report says of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// What became of the letter.
    pub action: Action,
    /// Whom it was for, as the report writes them: first as it was sent, then where it ended up.
    pub recipients: Vec<String>,
    /// The enhanced status code (RFC 3463).
    pub status: Option<Status>,
    /// The words of whoever refused it.
    pub diagnostic: Option<String>,
}

/// A report, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry a recipient.
    pub returned: Vec<Returned>,
    /// The `Message-ID` of the letter that came back, with its angle brackets.
    pub message_id: Option<String>,
    /// Where the report was sent to: one of these may be the address that names the delivery.
    pub came_to: Vec<String>,
}

/// Entries of one report at most.
const MOST: usize = 100;
/// Parts within parts.
const DEEPEST: usize = 6;

impl Report {
    /// Reads a report: a whole message (`message/rfc822`), or only its `message/delivery-status` part.
    ///
    /// Never fails; what is no report has nothing [`returned`](Self::returned).
    pub fn parse(bytes: &[u8]) -> Self {
        let mut report = Self::default();
        let entity = Entity::parse(bytes);
        if entity
            .headers
            .has_any(&["final-recipient", "reporting-mta", "original-recipient"])
        {
            report.status_groups(bytes);
            return report;
        }
        for name in [
            "to",
            "delivered-to",
            "x-original-to",
            "envelope-to",
            "x-envelope-to",
            "return-path",
        ] {
            for value in entity.headers.all(name) {
                report.came_to.extend(addresses(value));
            }
        }
        report.walk(&entity, 0);
        if report.returned.is_empty() {
            report.of_exim(&entity.headers);
        }
        report
    }

    fn walk(&mut self, entity: &Entity<'_>, depth: usize) {
        match entity.media_type.as_str() {
            _ if depth > DEEPEST => {}
            multipart if multipart.starts_with("multipart/") => {
                for part in entity.parts() {
                    self.walk(&part, depth + 1);
                }
            }
            "message/delivery-status" | "message/global-delivery-status" => {
                self.status_groups(&entity.decoded());
            }
            "message/feedback-report" => self.feedback(&entity.decoded()),
            // The letter itself. What stands in it is its writer's, not the server's: only its head is read.
            "message/rfc822" | "text/rfc822-headers" | "message/global" | "message/global-headers"
                if depth > 0 && self.message_id.is_none() =>
            {
                let original = Headers::parse(&entity.decoded()).0;
                self.message_id = original.first("message-id").map(str::to_owned);
                self.came_to
                    .extend(original.all("return-path").flat_map(addresses));
            }
            _ => {}
        }
    }

    /// The fields of RFC 3464: groups with empty lines between them, one about the message, then one a recipient.
    fn status_groups(&mut self, body: &[u8]) {
        let mut rest = body;
        while !rest.is_empty() && self.returned.len() < MOST {
            let (fields, after) = Headers::parse(rest);
            rest = after;
            let recipients: Vec<String> = ["original-recipient", "final-recipient"]
                .iter()
                .filter_map(|name| fields.first(name))
                .filter_map(typed)
                .collect();
            let action = fields.first("action").unwrap_or_default().to_ascii_lowercase();
            if recipients.is_empty() && action.is_empty() {
                continue;
            }
            let diagnostic = fields.first("diagnostic-code").and_then(typed);
            let status = Status::best(
                fields.first("status").and_then(Status::find),
                diagnostic.as_deref().and_then(Status::find),
            );
            let Some(action) = Action::of(action.split_whitespace().next().unwrap_or_default(), status)
            else {
                continue;
            };
            self.returned.push(Returned {
                action,
                recipients,
                status,
                diagnostic,
            });
        }
    }

    /// A complaint (RFC 5965). Providers leave the reader's address out; the bounce address then tells.
    fn feedback(&mut self, body: &[u8]) {
        let fields = Headers::parse(body).0;
        let recipients = ["original-rcpt-to", "removal-recipient"]
            .iter()
            .filter_map(|name| fields.first(name))
            .flat_map(addresses)
            .collect();
        self.came_to
            .extend(fields.all("original-mail-from").flat_map(addresses));
        let kind = fields.first("feedback-type").unwrap_or("abuse");
        // RFC 6650 and 5965 7.3: these are no complaints about us.
        if matches!(kind.to_ascii_lowercase().as_str(), "not-spam" | "auth-failure") {
            return;
        }
        self.returned.push(Returned {
            action: Action::Complaint,
            recipients,
            status: None,
            diagnostic: Some(format!("feedback: {kind}")),
        });
    }

    /// Old Exims send no report part, but say whom they failed.
    fn of_exim(&mut self, headers: &Headers) {
        let failed = headers.all("x-failed-recipients").flat_map(addresses);
        self.returned.extend(failed.take(MOST).map(|recipient| Returned {
            action: Action::Failed,
            recipients: vec![recipient],
            status: None,
            diagnostic: None,
        }));
    }
}

impl Action {
    /// By its word; without one by the status.
    pub fn of(word: &str, status: Option<Status>) -> Option<Self> {
        match (word, status.map(|status| status.class)) {
            ("failed" | "failure", _) | ("", Some(5)) => Some(Self::Failed),
            ("delayed", _) | ("", Some(4)) => Some(Self::Delayed),
            ("delivered" | "relayed" | "expanded", _) | ("", Some(2)) => Some(Self::Delivered),
            ("complaint", _) => Some(Self::Complaint),
            _ => None,
        }
    }
}

/// What stands after the type of `rfc822; ann@example.com`.
fn typed(value: &str) -> Option<String> {
    let value = value.split_once(';').map_or(value, |(_, rest)| rest).trim();
    let value = value.trim_start_matches('<').trim_end_matches('>');
    (!value.is_empty()).then(|| value.to_owned())
}

/// What looks like an address in a header.
fn addresses(value: &str) -> Vec<String> {
    value
        .split([',', ' ', '\t', '<', '>', ';', '"'])
        .filter(|word| word.contains('@') && word.len() <= 320)
        .take(MOST)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
