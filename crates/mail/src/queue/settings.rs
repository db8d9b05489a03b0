//! How the mailer is set up.

use std::borrow::Cow;

use crate::{Attachment, EmailAddress, Sender};

/// The queue of letters that only this program can deliver.
pub const MAIL_QUEUE: &str = "gatepost.mail";

/// The queue of letters that may wait behind all others: those with a `List-Unsubscribe`. A broker that knows
/// no priorities then does not let a newsletter hold up a link.
pub const MAIL_BULK_QUEUE: &str = "gatepost.mail.bulk";

/// Where the SQL function `enqueue_mail` puts what it is asked for. It never leaves the database: the worker makes
/// sealed letters of it.
pub const MAIL_REQUESTS_QUEUE: &str = "gatepost.mail.requests";

/// Whether only this program puts letters there.
pub(crate) fn is_ours(queue: &str) -> bool {
    queue == MAIL_QUEUE || queue == MAIL_BULK_QUEUE
}

/// The letters whose links are made here; nobody may ask for one by name with a link of their own.
pub const ACCOUNT_LETTERS: [&str; 11] = [
    "activate_account",
    "reset_password",
    "password_changed",
    "already_registered",
    "welcome",
    "refresh_reuse_detected",
    "confirm_email",
    "email_change_asked",
    "email_changed",
    "invitation",
    "new_device",
];

/// The name by which HTML refers to the configured picture, as the Python services' letters do.
const LOGO: &str = "logo";

/// How the mailer is set up.
#[derive(Debug, Clone)]
pub struct MailerSettings {
    /// Who letters are from (`mail.from`).
    pub from: Sender,
    /// Who else they may be from (`mail.allowed_from`): addresses, or `@example.com` for a whole
    /// domain. Empty: anybody.
    pub allowed_from: Vec<String>,
    /// The language of letters that do not say.
    pub default_locale: String,
    /// Whether what becomes of letters is told as events (`mail.sent`, `mail.failed`, `mail.bounced`); whoever
    /// switches this on sweeps them: `gatepost_messaging::Events::sweep`. Off by default.
    pub events: bool,
    /// Whether letters are rendered for a Python consumer (`mail.wire = "python"`): what it could not deliver is then
    /// refused. Off by default.
    pub python_wire: bool,
    /// A picture that goes with every letter whose HTML refers to `cid:logo` (`mail.logo_file`); its own
    /// `cid` does not matter.
    pub logo: Option<Attachment>,
    /// Where letters come back to (`mail.bounce_address`): each with a tag of its delivery behind a `+` in the
    /// local part, which only this program can make. None: to their sender.
    pub bounce_address: Option<EmailAddress>,
}

impl MailerSettings {
    /// From this sender, in English, with any `from_email`.
    pub fn new(from: Sender) -> Self {
        Self {
            from,
            allowed_from: Vec::new(),
            default_locale: "en".to_owned(),
            events: false,
            python_wire: false,
            logo: None,
            bounce_address: None,
        }
    }

    /// Whether there is a picture behind a `cid:` that a letter refers to.
    pub(crate) fn has_picture(&self, cid: &str, attachments: &[Attachment]) -> bool {
        let brought = attachments.iter().any(|file| file.cid.as_deref() == Some(cid));
        brought || (cid == LOGO && self.logo.is_some())
    }

    /// The files of a letter: those it brings along, and the logo if its HTML refers to it.
    pub(crate) fn files<'a>(&self, brought: &'a [Attachment], html: &str) -> Cow<'a, [Attachment]> {
        let Some(logo) = &self.logo else {
            return Cow::Borrowed(brought);
        };
        let wanted =
            html.contains("cid:logo") && !brought.iter().any(|file| file.cid.as_deref() == Some(LOGO));
        if !wanted {
            return Cow::Borrowed(brought);
        }
        let mut files = brought.to_vec();
        files.push(Attachment {
            cid: Some(LOGO.to_owned()),
            ..logo.clone()
        });
        Cow::Owned(files)
    }

    pub(crate) fn may_be_from(&self, address: &EmailAddress) -> bool {
        if self.allowed_from.is_empty() || address.canonical() == self.from.address.canonical() {
            return true;
        }
        self.allowed_from
            .iter()
            .any(|allowed| match allowed.strip_prefix('@') {
                Some(domain) => domain.eq_ignore_ascii_case(address.domain()),
                None => allowed
                    .parse::<EmailAddress>()
                    .is_ok_and(|allowed| allowed.canonical() == address.canonical()),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Templates;

    #[test]
    fn every_letter_of_ours_but_one_is_an_account_letter() {
        let templates = Templates::built_in().unwrap();
        let open: Vec<&str> = templates
            .names()
            .filter(|name| !ACCOUNT_LETTERS.contains(name))
            .collect();
        assert_eq!(open, ["notification"]);
    }

    #[test]
    fn a_domain_does_not_stand_for_what_ends_like_it() {
        let mut settings = MailerSettings::new("noreply@example.com".parse().unwrap());
        let may = |settings: &MailerSettings, from: &str| settings.may_be_from(&from.parse().unwrap());
        assert!(may(&settings, "anybody@else.where"));
        settings.allowed_from = vec!["@shop.example".into(), "info@example.com".into()];
        assert!(
            may(&settings, "noreply@example.com")
                && may(&settings, "Info@example.com")
                && may(&settings, "x@SHOP.example")
        );
        assert!(
            !may(&settings, "x@evilshop.example")
                && !may(&settings, "x@a.shop.example")
                && !may(&settings, "x@example.com")
        );
    }
}
