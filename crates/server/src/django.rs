//! A Django project beside us: its tokens, spoken or taken.

use gatepost_storage::{UserId, imported_users, users};
use gatepost_tokens::TokenService;
use gatepost_tokens::dialect::{Account, Accounts, Mode};
use gatepost_tokens::simplejwt::{Kind, SettingsError, SimpleJwt};

use crate::config::{Config, Dialect, UserSource};

/// Switches simplejwt's dialect on as it is configured.
pub(crate) fn with_simplejwt(service: TokenService, config: &Config) -> Result<TokenService, SettingsError> {
    if !config.uses_simplejwt() {
        return Ok(service);
    }
    let mut settings = config.simplejwt.settings.clone();
    let purposes = config.tokens.purposes.iter();
    settings.kinds = purposes
        .filter(|(name, _)| !matches!(name.as_str(), "access" | "refresh"))
        .map(|(name, purpose)| Kind {
            name: name.clone(),
            lifetime: purpose.lifetime,
            blacklisted: purpose.one_time,
        })
        .collect();
    let mode = if config.tokens.dialect == Dialect::Simplejwt {
        Mode::Speak {
            accept_ours: config.tokens.accept.contains(&Dialect::Gatepost),
        }
    } else {
        Mode::Accept
    };
    // Whoever else writes the table of users tells us nothing when it switches one off.
    let accounts = Accounts::new(config.accounts.source == UserSource::Django, |tx, subject| {
        Box::pin(async move {
            let Ok(id) = subject.parse::<UserId>() else {
                return Ok(None);
            };
            // Whoever was imported is called otherwise by now.
            let Some(id) = users::resolve(tx, id).await? else {
                return Ok(None);
            };
            Ok(users::get(tx, id).await?.map(|user| Account {
                subject: user.id.to_string(),
                active: user.active,
                password: user.password,
            }))
        })
    })
    .also_called(|tx, subject| {
        Box::pin(async move {
            match subject.parse::<UserId>() {
                Ok(id) => imported_users::names_of(tx, id).await,
                Err(_) => Ok(Vec::new()),
            }
        })
    });
    let accounts = match config.accounts.source {
        UserSource::Own => accounts.formerly(|subject| matches!(subject.parse(), Ok(UserId::Integer(_)))),
        UserSource::Django => accounts,
    };
    Ok(service.with_simplejwt(SimpleJwt::new(settings)?, mode, Some(accounts)))
}
