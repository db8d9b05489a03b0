//! Letters with a link: which purpose its token has, where it leads, and how long the letter is worth sending.
//!
//! Another one is a line in each of these functions, a type in `gatepost-mail` and a folder of templates.

use std::time::Duration;

use gatepost_mail::Letter;
use gatepost_mail::letter::{ActivateAccount, ConfirmEmail, Invitation, ResetPassword};
use gatepost_storage::{Timestamp, Tx};
use gatepost_tokens::{
    Activate, ChangeEmail, ChangePassword, Invite, Minted, Purpose, ServiceError, TokenService,
};
use serde_json::Value;

use crate::config::{LinkTemplate, Links};

/// A letter with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkLetter {
    /// Confirms the address of a registration.
    Activate,
    /// Chooses another password.
    ResetPassword,
    /// Confirms the address that an account is to have.
    ConfirmEmail,
    /// Opens an account that was made for somebody.
    Invitation,
}

/// Runs the same with the purpose of each.
macro_rules! with_purpose {
    ($letter:expr, $purpose:ident => $work:expr) => {
        match $letter {
            LinkLetter::Activate => {
                type $purpose = Activate;
                $work
            }
            LinkLetter::ResetPassword => {
                type $purpose = ChangePassword;
                $work
            }
            LinkLetter::ConfirmEmail => {
                type $purpose = ChangeEmail;
                $work
            }
            LinkLetter::Invitation => {
                type $purpose = Invite;
                $work
            }
        }
    };
}

impl LinkLetter {
    const ALL: [Self; 4] = [
        Self::Activate,
        Self::ResetPassword,
        Self::ConfirmEmail,
        Self::Invitation,
    ];

    /// The one with that template.
    pub(crate) fn named(template: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|letter| letter.template() == template)
    }

    pub(crate) const fn template(self) -> &'static str {
        match self {
            Self::Activate => ActivateAccount::TEMPLATE,
            Self::ResetPassword => ResetPassword::TEMPLATE,
            Self::ConfirmEmail => ConfirmEmail::TEMPLATE,
            Self::Invitation => Invitation::TEMPLATE,
        }
    }

    /// The purpose of its token.
    pub(crate) fn purpose(self) -> &'static str {
        with_purpose!(self, P => P::NAME)
    }

    /// How long such a token lives where nothing else is configured.
    pub(crate) fn lifetime(self) -> Duration {
        with_purpose!(self, P => P::LIFETIME)
    }

    /// After this, the letter is no longer worth sending.
    pub(crate) const fn worth_sending(self) -> Duration {
        match self {
            Self::Activate | Self::ConfirmEmail => Duration::from_secs(24 * 3_600),
            Self::ResetPassword => Duration::from_secs(2 * 3_600),
            Self::Invitation => Duration::from_secs(3 * 86_400),
        }
    }

    /// Where it leads.
    pub(crate) const fn leads_to(self, links: &Links) -> &LinkTemplate {
        match self {
            Self::Activate => &links.activate,
            Self::ResetPassword => &links.reset_password,
            Self::ConfirmEmail => &links.confirm_email,
            Self::Invitation => &links.invitation,
        }
    }

    /// What the template shows.
    pub(crate) fn data(
        self,
        links: &Links,
        minted: &Minted,
        at: jiff::Timestamp,
    ) -> Result<Value, serde_json::Error> {
        let link = self.leads_to(links).with_token(&minted.raw).into();
        let lifetime = u64::try_from(minted.expires_at - minted.issued_at).unwrap_or_default();
        match self {
            Self::Activate => serde_json::to_value(ActivateAccount {
                link,
                asked_at: at,
                lifetime,
            }),
            Self::ResetPassword => serde_json::to_value(ResetPassword {
                link,
                asked_at: at,
                lifetime,
            }),
            Self::ConfirmEmail => serde_json::to_value(ConfirmEmail {
                link,
                asked_at: at,
                lifetime,
            }),
            Self::Invitation => serde_json::to_value(Invitation {
                link,
                invited_at: at,
                lifetime,
            }),
        }
    }

    /// Whether a link of this generation would be dead on arrival.
    pub(crate) async fn is_void(
        self,
        tokens: &TokenService,
        tx: &mut Tx<'_>,
        subject: &str,
        generation: i64,
    ) -> Result<bool, ServiceError> {
        with_purpose!(self, P => tokens.is_void_in::<P>(tx, subject, generation).await)
    }

    /// The letter of this generation was sent: the older links die.
    pub(crate) async fn raise(
        self,
        tokens: &TokenService,
        tx: &mut Tx<'_>,
        subject: &str,
        generation: i64,
    ) -> Result<bool, ServiceError> {
        with_purpose!(self, P => tokens.raise_generation_in::<P>(tx, subject, generation).await)
    }

    /// Until when a letter that is asked for now is worth sending.
    pub(crate) fn worth_until(self, asked_at: Timestamp) -> Timestamp {
        asked_at + self.worth_sending()
    }
}
