//! Another program's table of users, as the commands that move users name it.

use gatepost_storage::{Error, IdKind, Store, StoreOptions, UserColumns};

use crate::config::{Config, DjangoAccounts};
use crate::ops::failure::Failure;

/// The table and its columns, where they are not as `accounts.django` says.
#[derive(Debug, clap::Args)]
pub(in crate::ops) struct Columns {
    /// The table of users, as `table` or `schema.table` [default: accounts.django.table]
    #[arg(long)]
    table: Option<String>,
    /// Its primary key
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// What the primary key is
    #[arg(long, value_parser = ["integer", "uuid"])]
    id_type: Option<String>,
    /// The column of addresses
    #[arg(long, value_name = "COLUMN")]
    email: Option<String>,
    /// The column that Django logs in by
    #[arg(long, value_name = "COLUMN")]
    username: Option<String>,
    /// The column of password strings
    #[arg(long, value_name = "COLUMN")]
    password: Option<String>,
    /// The column that says who may log in
    #[arg(long, value_name = "COLUMN")]
    is_active: Option<String>,
    /// The column of the last login; `""` if there is none
    #[arg(long, value_name = "COLUMN")]
    last_login: Option<String>,
    /// The column of when the row was made; `""` if there is none
    #[arg(long, value_name = "COLUMN")]
    date_joined: Option<String>,
    /// The column of languages
    #[arg(long, value_name = "COLUMN")]
    locale: Option<String>,
    /// Text columns that make up the profile
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    profile: Option<Vec<String>>,
}

impl Columns {
    /// The table of users.
    pub(super) fn table<'a>(&'a self, config: &'a Config) -> &'a str {
        self.table
            .as_deref()
            .unwrap_or(&config.accounts.django.columns.table)
    }

    fn over(self, django: &DjangoAccounts) -> UserColumns {
        let base = django.columns.clone();
        let optional = |given: Option<String>, base: Option<String>| match given {
            Some(given) => (!given.is_empty()).then_some(given),
            None => base,
        };
        UserColumns {
            table: self.table.unwrap_or(base.table),
            id: self.id.unwrap_or(base.id),
            id_kind: match self.id_type.as_deref() {
                Some("uuid") => IdKind::Uuid,
                Some(_) => IdKind::Integer,
                None => base.id_kind,
            },
            email: self.email.unwrap_or(base.email),
            username: self.username.unwrap_or(base.username),
            password: self.password.unwrap_or(base.password),
            is_active: self.is_active.unwrap_or(base.is_active),
            last_login: optional(self.last_login, base.last_login),
            date_joined: optional(self.date_joined, base.date_joined),
            locale: optional(self.locale, base.locale),
            profile: self.profile.unwrap_or(base.profile),
            default_locale: base.default_locale,
        }
    }
}

/// Opens the database that `text` names, with the table in place of ours. Nothing is made there.
pub(super) async fn open(config: &Config, text: &str, columns: Columns) -> Result<Store, Failure> {
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        from_dsn(text).map_err(Failure::usage)?
    };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Failure::usage(
            "Django's users are read from PostgreSQL only; give a postgres:// URL, or leave the value out for the \
             database of storage.url",
        ));
    }
    let django = DjangoAccounts {
        columns: columns.over(&config.accounts.django),
        ..config.accounts.django.clone()
    };
    gatepost_storage::DjangoTable::new(django.columns.clone())
        .map_err(|bad| Failure::usage(bad.to_string()))?;
    let options = StoreOptions {
        max_connections: 2,
        users: django.user_table(config.mail.locale.as_str()),
        ..StoreOptions::default()
    };
    Ok(Store::open(&url, options).await?)
}

/// What to do when the table is not what it was taken for.
pub(super) fn explain(error: Error) -> Failure {
    match error {
        Error::Database(error) => Failure::no(format!(
            "{error}; name the table and its columns with --table, --id, --email... or under [accounts.django]"
        )),
        error => error.into(),
    }
}

/// `host=db port=5432 dbname=shop user=shop password='it''s'`, as libpq has it, as a URL.
fn from_dsn(text: &str) -> Result<String, String> {
    let wrong = || "neither a URL nor `host=... dbname=... user=...`".to_owned();
    let (mut host, mut port, mut user, mut password, mut database) =
        (String::new(), String::new(), String::new(), None, String::new());
    let mut options = Vec::new();
    for (name, value) in pairs(text).ok_or_else(wrong)? {
        match name.as_str() {
            "host" => host = value,
            "port" => port = value,
            "user" => user = value,
            "password" => password = Some(value),
            "dbname" => database = value,
            "sslmode" | "sslrootcert" | "application_name" => {
                options.push(format!("{name}={}", encode(&value)));
            }
            _ => return Err(format!("{name:?} is not understood; use a postgres:// URL")),
        }
    }
    if user.is_empty() || database.is_empty() {
        return Err("dbname and user are needed".to_owned());
    }
    let password = password.map_or(String::new(), |password| format!(":{}", encode(&password)));
    // A host that is a path is a socket's folder.
    let host = if host.is_empty() {
        "localhost".to_owned()
    } else {
        encode(&host)
    };
    let port = if port.is_empty() { port } else { format!(":{port}") };
    let options = if options.is_empty() {
        String::new()
    } else {
        format!("?{}", options.join("&"))
    };
    Ok(format!(
        "postgres://{}{password}@{host}{port}/{}{options}",
        encode(&user),
        encode(&database)
    ))
}

fn encode(text: &str) -> String {
    crate::config::encode(text)
}

fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let mut value = String::new();
        let mut chars = after.char_indices();
        let quoted = after.starts_with('\'');
        if quoted {
            chars.next();
        }
        let mut end = after.len();
        let mut closed = !quoted;
        while let Some((at, letter)) = chars.next() {
            match letter {
                '\\' => value.push(chars.next()?.1),
                '\'' if quoted => {
                    (end, closed) = (at + 1, true);
                    break;
                }
                letter if !quoted && letter.is_whitespace() => {
                    end = at;
                    break;
                }
                letter => value.push(letter),
            }
        }
        if !closed {
            return None;
        }
        pairs.push((name.trim().to_owned(), value));
        rest = after[end..].trim_start();
    }
    (!pairs.is_empty()).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_says_what_a_url_says() {
        let url = from_dsn(r"host=db port=5433 dbname=shop user='a b' password='it\'s a:b' sslmode=require");
        assert_eq!(
            url.unwrap(),
            "postgres://a%20b:it%27s%20a%3Ab@db:5433/shop?sslmode=require"
        );
        assert_eq!(
            from_dsn("host=/run/pg dbname=shop user=me").unwrap(),
            "postgres://me@%2Frun%2Fpg/shop"
        );
        for bad in [
            "",
            "shop",
            "host=db",
            "dbname=x user='y",
            "dbname=x user=y fish=z",
        ] {
            assert!(from_dsn(bad).is_err(), "{bad}");
        }
    }
}
