//! Whom a letter goes to: looked up when it is sent.

use gatepost_mail::{About, AccountIntent, EmailAddress, MailError};
use gatepost_storage::users::UserRow;
use gatepost_storage::{Tx, UserId, registrations, users};

use super::news::change_of;
use super::{Asked, LinkLetter, Side};

/// Whom a letter goes to.
pub(super) struct Reader {
    pub(super) id: String,
    pub(super) email: EmailAddress,
    pub(super) locale: String,
}

/// The reader, or why there is nobody to tell any more.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    intent: &AccountIntent,
    asked: &Asked,
) -> Result<Result<Reader, &'static str>, MailError> {
    const NOBODY: &str = "there is nobody to tell any more";
    let (id, email, locale) = match &intent.about {
        About::Registration(id) => match registrations::get(tx, *id).await? {
            Some(row) => (UserId::from(row.id), row.email, row.locale),
            None => return Ok(Err(NOBODY)),
        },
        About::User(id) => {
            let user = match id.parse() {
                Ok(id) => users::get(tx, id).await?,
                Err(_) => None,
            };
            let Some(user) = user else {
                return Ok(Err(NOBODY));
            };
            match address(tx, intent, asked, &user).await? {
                Ok(email) => (user.id, email, user.locale),
                Err(reason) => return Ok(Err(reason)),
            }
        }
    };
    // Another program's table asks for none, and lets anything stand there.
    let Ok(email) = email.parse() else {
        return Ok(Err("the account has no address that a letter could go to"));
    };
    Ok(Ok(Reader {
        id: id.to_string(),
        email,
        locale,
    }))
}

/// Which of a user's addresses.
async fn address(
    tx: &mut Tx<'_>,
    intent: &AccountIntent,
    asked: &Asked,
    user: &UserRow,
) -> Result<Result<String, &'static str>, MailError> {
    let letter = LinkLetter::named(&intent.letter);
    if letter == Some(LinkLetter::Invitation) && user.activated_at.is_some() {
        return Ok(Err("the account was opened meanwhile"));
    }
    let Some(side) = asked.to else {
        return Ok(Ok(user.email.clone()));
    };
    let Some(change) = change_of(tx, asked).await? else {
        return Ok(Err("the change of the address is forgotten"));
    };
    if letter == Some(LinkLetter::ConfirmEmail) && change.confirmed_at.is_some() {
        return Ok(Err("the address was confirmed meanwhile"));
    }
    Ok(Ok(match side {
        Side::Old => change.old_email,
        Side::New => change.email,
    }))
}
