//! How often what may be asked. Rates are generous to people behind one address and strict about one
//! account; the right password makes good the wrong ones before it.

use std::time::Duration;

use gatepost_mail::seal::Sealer;

use crate::accounts::email::Email;
use crate::app::App;
use crate::cache::{Count, Limited, Rule};
use crate::http::Client;

const fn rule(name: &'static str, burst: u32, millis: u64) -> Rule {
    Rule {
        name,
        burst,
        every: Duration::from_millis(millis),
    }
}

/// Passwords tried from one address.
const LOGIN_CLIENT: Rule = rule("login.client", 60, 1_000);
/// Passwords tried for one account from one address.
const LOGIN_PAIR: Rule = rule("login.pair", 10, 30_000);
/// Passwords tried for one account from anywhere: NIST SP 800-63B-4 stops at 100 failures in a row.
const LOGIN_ACCOUNT: Rule = rule("login.account", 100, 36_000);
/// Letters asked for from one address.
const LETTER_CLIENT: Rule = rule("letter.client", 20, 6_000);
/// Letters asked for to one address: 6 an hour once a burst of 5 is spent.
const LETTER_ACCOUNT: Rule = rule("letter.account", 5, 600_000);
/// Links pressed and tokens refreshed from one address.
const TOKEN_CLIENT: Rule = rule("token.client", 200, 100);

/// Who asks for a letter is counted before anything is hashed or looked up, the same for every address.
pub(crate) async fn letter(app: &App, client: Client, email: &Email) -> Result<(), Limited> {
    let account = account_key(&app.sealer, email);
    let counts: [Count<'_>; 2] = [(&LETTER_CLIENT, &client.limit_key()), (&LETTER_ACCOUNT, &account)];
    app.limits.take(&counts, app.now().as_micros()).await
}

/// Who tries a password, likewise.
pub(crate) async fn login(app: &App, client: Client, email: &Email) -> Result<(), Limited> {
    let account = account_key(&app.sealer, email);
    let counts: [Count<'_>; 3] = [
        (&LOGIN_CLIENT, &client.limit_key()),
        (&LOGIN_PAIR, &pair_key(client, &account)),
        (&LOGIN_ACCOUNT, &account),
    ];
    app.limits.take(&counts, app.now().as_micros()).await
}

/// The password was right.
pub(crate) async fn login_succeeded(app: &App, client: Client, email: &Email) {
    let account = account_key(&app.sealer, email);
    let counts: [Count<'_>; 2] = [
        (&LOGIN_PAIR, &pair_key(client, &account)),
        (&LOGIN_ACCOUNT, &account),
    ];
    app.limits.forget(&counts, app.now().as_micros()).await;
}

/// As [`login`] for a name that may be no address. An address is the same account by either road.
pub(crate) async fn login_by_name(app: &App, client: Client, name: &str) -> Result<(), Limited> {
    if let Ok(email) = name.parse::<Email>() {
        return login(app, client, &email).await;
    }
    let pair = [client.limit_key().as_slice(), name.as_bytes()].concat();
    let counts: [Count<'_>; 3] = [
        (&LOGIN_CLIENT, &client.limit_key()),
        (&LOGIN_PAIR, &pair),
        (&LOGIN_ACCOUNT, name.as_bytes()),
    ];
    app.limits.take(&counts, app.now().as_micros()).await
}

/// As [`login_succeeded`] for a name that may be no address.
pub(crate) async fn login_by_name_succeeded(app: &App, client: Client, name: &str) {
    if let Ok(email) = name.parse::<Email>() {
        return login_succeeded(app, client, &email).await;
    }
    let pair = [client.limit_key().as_slice(), name.as_bytes()].concat();
    let counts: [Count<'_>; 2] = [(&LOGIN_PAIR, &pair), (&LOGIN_ACCOUNT, name.as_bytes())];
    app.limits.forget(&counts, app.now().as_micros()).await;
}

/// Who presses a link or refreshes.
pub(crate) async fn token(app: &App, client: Client) -> Result<(), Limited> {
    let counts: [Count<'_>; 1] = [(&TOKEN_CLIENT, &client.limit_key())];
    app.limits.take(&counts, app.now().as_micros()).await
}

/// An account, known or not, by a keyed hash of its canonical address.
fn account_key(sealer: &Sealer, email: &Email) -> [u8; 32] {
    sealer.address_hash(email.address())
}

fn pair_key(client: Client, account: &[u8; 32]) -> Vec<u8> {
    [client.limit_key().as_slice(), account].concat()
}
