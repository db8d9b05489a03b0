//! The database knows which secret signs, so that a wrong one is noticed before it refuses everybody.

use gatepost_storage::{Error, Tx, keys};

use crate::error::SecretError;
use crate::service::TokenService;

impl TokenService {
    /// Makes sure, at start, that the secret is the one this database's tokens were signed with; the first secret
    /// ever is noted, and one that has the known one among its previous secrets takes its place.
    pub async fn claim_secret(&self) -> Result<(), SecretError> {
        let claimed = self.put_secret(false).await;
        match claimed {
            // Another instance claimed in the same moment: see what it wrote.
            Err(SecretError::Storage(error)) if error.is_unique_violation() => self.put_secret(false).await,
            other => other,
        }
    }

    /// Accepts this secret whatever the database knows. Tokens of the old one die unless it is a previous secret.
    pub async fn adopt_secret(&self) -> Result<(), SecretError> {
        self.put_secret(true).await
    }

    async fn put_secret(&self, adopt: bool) -> Result<(), SecretError> {
        let keys = self.tokens.keys().clone();
        self.store
            .run_tx("claim_secret", move |tx| {
                let ours = keys.fingerprint().to_owned();
                let previous: Vec<String> = keys.previous_fingerprints().map(str::to_owned).collect();
                Box::pin(async move {
                    let known = keys::current(tx).await?;
                    match known {
                        Some(known) if known == ours => Ok(()),
                        Some(known) if !adopt && !previous.contains(&known) => {
                            Err(SecretError::Unknown { known, ours })
                        }
                        known => replace(tx, &ours, known.as_deref()).await,
                    }
                })
            })
            .await
    }
}

async fn replace(tx: &mut Tx<'_>, ours: &str, known: Option<&str>) -> Result<(), SecretError> {
    if keys::replace(tx, ours, known).await? {
        return Ok(());
    }
    // Somebody else replaced it in between; if by the same secret, that is what we want.
    match keys::current(tx).await? {
        Some(now) if now == ours => Ok(()),
        Some(known) => Err(SecretError::Unknown {
            known,
            ours: ours.to_owned(),
        }),
        None => Err(Error::Closed.into()),
    }
}
