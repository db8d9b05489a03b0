//! From settings to sections, in the order of `config.default.toml`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gatepost_storage::Pooler;
use secrecy::SecretString;

use super::django::django;
use super::parsers::{
    address, bounce_address, identifier, items, network, not_empty, one_of, optional, origin, sender, some,
};
use super::read_tokens::tokens;
use super::reader::{Reader, Seen};
use super::sections::{
    Accounts, Auth, DkimKey, Http, Links, Locale, Log, LogFormat, Mail, Migrate, Module, Modules,
    Registration, Retention, Shutdown, SmtpLimits, Storage, UserSource, Wire,
};
use super::simplejwt::simplejwt;
use super::topology::topology;
use super::webhooks::webhooks;
use super::{Broker, Cache, Config, LinkTemplate, MailTransport, PublicUrl, StorageBackend};

/// Every section is read, also after one that is wrong, so that all problems come out at once.
pub(crate) fn read(r: &mut Reader) -> Option<Config> {
    let modules = modules(r);
    let data_dir = r.parsed("data_dir", Seen::Whole, not_empty).map(PathBuf::from);
    let http = http(r);
    let fallback = PublicUrl::of_bind(([127, 0, 0, 1], 8080).into());
    let links = links(r, http.as_ref().map_or(&fallback, |h| &h.public_url));
    let beside = data_dir.clone().unwrap_or_default();
    let storage = storage(r, &beside);
    let broker = r.parsed("broker.url", Seen::Url, Broker::parse);
    let cache = r.parsed("cache.url", Seen::Url, Cache::parse);
    let mail = mail(r);
    let public = http
        .as_ref()
        .filter(|h| h.public_url_is_set)
        .map(|h| h.public_url.as_str());
    let tokens = tokens(r, public);
    let simplejwt = simplejwt(r);
    let accounts = accounts(r);
    let auth = auth(r);
    let limits_enabled = r.switch("limits.enabled");
    let retention = retention(r);
    let log = log(r, &beside);
    let tls_ca_file = r
        .text("tls.ca_file", Seen::Whole)
        .map(|t| some(t).map(PathBuf::from));
    let shutdown = shutdown(r);
    let webhooks = webhooks(r);
    let topology = topology(r);
    Some(Config {
        modules: modules?,
        data_dir: data_dir?,
        http: http?,
        links: links?,
        storage: storage?,
        broker: broker?,
        cache: cache?,
        mail: mail?,
        tokens: tokens?,
        simplejwt,
        accounts: accounts?,
        auth: auth?,
        limits_enabled: limits_enabled?,
        retention: retention?,
        log: log?,
        tls_ca_file: tls_ca_file?,
        shutdown: shutdown?,
        webhooks: webhooks?,
        topology: topology?,
        shown: Vec::new(),
    })
}

fn modules(r: &mut Reader) -> Option<Modules> {
    let names = r.list("modules", Seen::Whole)?;
    let mut set = BTreeSet::new();
    for name in &names {
        set.insert(match name.as_str() {
            "accounts" => Module::Accounts,
            "tokens" => Module::Tokens,
            "mail" => Module::Mail,
            "messaging" => Module::Messaging,
            "chat" => Module::Chat,
            "console" => Module::Console,
            _ => {
                let all = "\"accounts\", \"tokens\", \"mail\", \"messaging\", \"chat\", \"console\"";
                r.problem("modules", format!("{name:?} is not one of {all}"));
                return None;
            }
        });
    }
    Some(Modules(set))
}

fn http(r: &mut Reader) -> Option<Http> {
    let bind = r.parsed("http.bind", Seen::Whole, address);
    let admin_bind = optional(r, "http.admin_bind", Seen::Whole, address);
    if let Some(bind) = bind {
        r.derived("http.admin_bind", &bind.to_string());
    }
    let set = optional(r, "http.public_url", Seen::Whole, PublicUrl::parse);
    let trusted_proxies = items(r, "http.trusted_proxies", network);
    let cors_origins = items(r, "http.cors_origins", origin);
    let (bind, set) = (bind?, set?);
    let public_url_is_set = set.is_some();
    let public_url = set.unwrap_or_else(|| PublicUrl::of_bind(bind));
    r.derived("http.public_url", public_url.as_str());
    Some(Http {
        bind,
        admin_bind: admin_bind?.filter(|admin| *admin != bind),
        public_url,
        public_url_is_set,
        trusted_proxies: trusted_proxies?,
        cors_origins: cors_origins?,
    })
}

fn links(r: &mut Reader, public_url: &PublicUrl) -> Option<Links> {
    let mut link = |key| r.parsed(key, Seen::Whole, |text| LinkTemplate::parse(text, public_url));
    let (activate, reset_password) = (link("links.activate"), link("links.reset_password"));
    let (confirm_email, invitation) = (link("links.confirm_email"), link("links.invitation"));
    Some(Links {
        activate: activate?,
        reset_password: reset_password?,
        confirm_email: confirm_email?,
        invitation: invitation?,
    })
}

fn storage(r: &mut Reader, data_dir: &Path) -> Option<Storage> {
    let backend = optional(r, "storage.url", Seen::Url, StorageBackend::parse);
    let in_data_dir = data_dir.join("gatepost.db");
    r.derived("storage.url", &format!("sqlite://{}", in_data_dir.display()));
    let schema = r.parsed("storage.schema", Seen::Whole, identifier);
    let pooler = r.parsed("storage.pooler", Seen::Whole, |text| {
        let known = [
            ("auto", Pooler::Auto),
            ("session", Pooler::Session),
            ("transaction", Pooler::Transaction),
        ];
        one_of(text, &known)
    });
    let listen_url = optional(r, "storage.listen_url", Seen::Url, |t| {
        StorageBackend::parse(t).map(|_| SecretString::from(t))
    });
    let max_connections = r.number("storage.max_connections", 1..=10_000);
    let migrate = optional(r, "storage.migrate", Seen::Whole, |text| {
        one_of(text, &[("auto", Migrate::Auto), ("check", Migrate::Check)])
    });
    let backend = backend?.unwrap_or(StorageBackend::Sqlite { path: in_data_dir });
    let (by_backend, word) = match backend {
        StorageBackend::Sqlite { .. } => (Migrate::Auto, "auto"),
        StorageBackend::Postgres { .. } => (Migrate::Check, "check"),
    };
    r.derived("storage.migrate", word);
    Some(Storage {
        backend,
        schema: schema?,
        pooler: pooler?,
        listen_url: listen_url?,
        max_connections: max_connections?,
        migrate: migrate?.unwrap_or(by_backend),
    })
}

fn mail(r: &mut Reader) -> Option<Mail> {
    let transport = r.joined("mail.transport", Seen::Url, MailTransport::parse);
    let from = r.parsed("mail.from", Seen::Whole, sender);
    let allowed_from = r.list("mail.allowed_from", Seen::Whole);
    let bounce_address = optional(r, "mail.bounce_address", Seen::Whole, bounce_address);
    let queue = r.parsed("mail.queue", Seen::Whole, not_empty);
    let wire = r.parsed("mail.wire", Seen::Whole, |text| {
        one_of(text, &[("gatepost", Wire::Gatepost), ("python", Wire::Python)])
    });
    let templates_dir = r
        .text("mail.templates_dir", Seen::Whole)
        .map(|t| some(t).map(PathBuf::from));
    let locales = [("en", Locale::En), ("ru", Locale::Ru), ("uk", Locale::Uk)];
    let locale = r.parsed("mail.locale", Seen::Whole, |text| one_of(text, &locales));
    let logo_file = r
        .text("mail.logo_file", Seen::Whole)
        .map(|t| some(t).map(PathBuf::from));
    let smtp = smtp(r);
    let dkim = dkim(r);
    Some(Mail {
        transport: transport?,
        from: from?,
        allowed_from: allowed_from?,
        queue: queue?,
        wire: wire?,
        bounce_address: bounce_address?,
        templates_dir: templates_dir?,
        locale: locale?,
        logo_file: logo_file?,
        smtp: smtp?,
        dkim: dkim?,
    })
}

fn smtp(r: &mut Reader) -> Option<SmtpLimits> {
    let connections = r.number("mail.smtp.connections", 1..=32);
    let rate = r.number("mail.smtp.rate", 0..=1_000_000);
    let domain_connections = r.number("mail.smtp.domain_connections", 0..=32);
    let domain_rate = r.number("mail.smtp.domain_rate", 0..=1_000_000);
    let token_file = r
        .text("mail.smtp.token_file", Seen::Whole)
        .map(|t| some(t).map(PathBuf::from));
    Some(SmtpLimits {
        connections: connections?,
        rate: rate?,
        domain_connections: domain_connections?,
        domain_rate: domain_rate?,
        token_file: token_file?,
    })
}

/// One signature for each selector, with the key file in the same place of the list.
fn dkim(r: &mut Reader) -> Option<Vec<DkimKey>> {
    let domain = r.text("mail.dkim.domain", Seen::Whole)?;
    let selectors = r.list("mail.dkim.selector", Seen::Whole)?;
    let files = r.list("mail.dkim.key_file", Seen::Whole)?;
    if selectors.len() != files.len() {
        r.problem(
            "mail.dkim.key_file",
            "must name one file for each of mail.dkim.selector",
        );
        return None;
    }
    if domain.is_empty() != selectors.is_empty() {
        r.problem(
            "mail.dkim.domain",
            "and mail.dkim.selector, mail.dkim.key_file go together: set all three or none",
        );
        return None;
    }
    let keys = selectors.into_iter().zip(files).map(|(selector, file)| DkimKey {
        domain: domain.clone(),
        selector,
        key_file: file.into(),
    });
    Some(keys.collect())
}

fn accounts(r: &mut Reader) -> Option<Accounts> {
    let source = r.parsed("accounts.source", Seen::Whole, |text| {
        one_of(text, &[("own", UserSource::Own), ("django", UserSource::Django)])
    });
    let ways = [
        ("open", Registration::Open),
        ("invite", Registration::Invite),
        ("closed", Registration::Closed),
    ];
    let registration = r.parsed("accounts.registration", Seen::Whole, |text| one_of(text, &ways));
    let min = r.number("accounts.min_password_length", 8..=64);
    let legacy_hashes = r.switch("accounts.legacy_hashes");
    let django = django(r);
    Some(Accounts {
        source: source?,
        registration: registration?,
        min_password_length: min? as usize,
        legacy_hashes: legacy_hashes?,
        django: django?,
    })
}

fn auth(r: &mut Reader) -> Option<Auth> {
    let (refresh_cookie, session_max_age) = (
        r.switch("auth.refresh_cookie"),
        r.duration("auth.session_max_age"),
    );
    Some(Auth {
        refresh_cookie: refresh_cookie?,
        session_max_age: session_max_age?,
    })
}

fn retention(r: &mut Reader) -> Option<Retention> {
    let mail = r.duration("retention.mail");
    let (events, audit) = (r.duration("retention.events"), r.duration("retention.audit"));
    Some(Retention {
        mail: mail?,
        events: events?,
        audit: audit?,
    })
}

fn log(r: &mut Reader, data_dir: &Path) -> Option<Log> {
    let level = r.parsed("log.level", Seen::Whole, |text| {
        let levels = ["error", "warn", "info", "debug", "trace"].map(|l| (l, l));
        one_of(text, &levels).map(str::to_owned)
    });
    let formats = [
        ("auto", LogFormat::Auto),
        ("text", LogFormat::Text),
        ("json", LogFormat::Json),
    ];
    let format = r.parsed("log.format", Seen::Whole, |text| one_of(text, &formats));
    let file = r.text("log.file", Seen::Whole);
    let file = some(file?).map(|file| data_dir.join(file));
    Some(Log {
        level: level?,
        format: format?,
        file,
    })
}

fn shutdown(r: &mut Reader) -> Option<Shutdown> {
    let (drain, timeout) = (r.duration("shutdown.drain"), r.duration("shutdown.timeout"));
    Some(Shutdown {
        drain: drain?,
        timeout: timeout?,
    })
}
