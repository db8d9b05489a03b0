//! The configuration as an operator meets it.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(&Origin::of(variables.iter().copied()))
}

fn refusal(variables: &[(&str, &str)]) -> String {
    load(variables)
        .unwrap_err()
        .problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn with_file(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gatepost.toml");
    std::fs::write(&path, text).unwrap();
    let mut origin = Origin::of(variables.iter().copied());
    origin.config_file = Some(path);
    Config::load(&origin)
}

#[test]
fn nothing_at_all_is_a_whole_configuration() {
    let config = load(&[]).unwrap();
    assert!(matches!(config.storage.backend, StorageBackend::Sqlite { .. }));
    assert_eq!(config.storage.migrate, Migrate::Auto);
    assert!(matches!(config.mail.transport, MailTransport::Capture));
    assert_eq!(config.http.public_url.as_str(), "http://127.0.0.1:8080");
    assert_eq!(
        config.links.activate.with_token("t"),
        "http://127.0.0.1:8080/activate?token=t"
    );
    assert_eq!(config.tokens.issuer, "gatepost");
    assert_eq!(
        config.tokens.purposes["activate"].lifetime,
        Duration::from_mins(30)
    );
    assert_eq!(
        config.log.file.as_deref(),
        Some(std::path::Path::new("./gatepost-data/logs/app.log"))
    );
}

#[test]
fn the_highest_layer_wins_and_each_value_says_where_it_came_from() {
    let file = "[http]\nbind = \"127.0.0.1:1\"\n[tokens.purposes.unsubscribe]\nlifetime = \"30d\"\none_time = false\n";
    let variables = [
        ("GATEPOST__HTTP__BIND", "127.0.0.1:2"),
        ("EMAIL_QUEUE_NAME", "letters"),
        ("HOME", "/nowhere"),
    ];
    let config = with_file(file, &variables).unwrap();
    assert_eq!(config.http.bind.port(), 2);
    assert_eq!(config.mail.queue, "letters");
    assert_eq!(
        config.tokens.purposes["unsubscribe"].lifetime,
        Duration::from_hours(720)
    );
    let source = |key: &str| {
        config
            .shown()
            .iter()
            .find(|s| s.key == key)
            .unwrap()
            .source
            .clone()
    };
    assert_eq!(
        source("http.bind"),
        Source::Variable("GATEPOST__HTTP__BIND".into())
    );
    assert_eq!(source("mail.queue"), Source::Python("EMAIL_QUEUE_NAME".into()));
    assert!(matches!(
        source("tokens.purposes.unsubscribe.lifetime"),
        Source::File(_)
    ));
    assert_eq!(source("mail.from"), Source::Default);
    assert_eq!(
        with_file("[mail]\nqueue = \"ours\"", &variables)
            .unwrap()
            .mail
            .queue,
        "ours"
    );
}

#[test]
fn unknown_keys_are_refused_by_name_all_at_once() {
    let text = refusal(&[
        ("GATEPOST__HTP__BIND", "x"),
        ("GATEPOST__MAIL__TRANSPROT", "capture"),
    ]);
    assert!(
        text.contains("htp.bind") && text.contains("did you mean http.bind"),
        "{text}"
    );
    assert!(text.contains("mail.transport"), "{text}");
    assert!(refusal(&[("GATEPOST__SIMPLEJWT__PREFIX", "/x")]).contains("did you mean simplejwt.prefixes"));
    let error = with_file("[http]\nport = 8080", &[]).unwrap_err();
    assert_eq!(error.problems[0].key, "http.port");
}

#[test]
fn a_file_of_a_variable_is_read_and_a_key_that_ends_in_file_is_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
    let path = path.to_str().unwrap();
    let config = load(&[
        ("GATEPOST__TOKENS__SECRET_FILE", path),
        ("GATEPOST__TLS__CA_FILE", "/ca.pem"),
    ])
    .unwrap();
    assert_eq!(config.tokens.secret.as_ref().unwrap().expose_secret().len(), 32);
    assert_eq!(
        config.tls_ca_file.as_deref(),
        Some(std::path::Path::new("/ca.pem"))
    );
    let twice = [
        ("GATEPOST__TOKENS__SECRET_FILE", path),
        ("GATEPOST__TOKENS__SECRET", "x"),
    ];
    assert!(refusal(&twice).contains("given twice"));
    assert!(refusal(&[("GATEPOST__TOKENS__SECRET_FILE", "/no/such")]).contains("can't be read"));
}

#[test]
fn the_python_services_variables_work_unchanged() {
    let config = load(&[
        ("POSTGRES_HOST", "db"),
        ("POSTGRES_USER", "app"),
        ("POSTGRES_PASSWORD", "p@ss/w:rd"),
        ("POSTGRES_DB", "shop"),
        ("JWT_SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("SECRET_KEY", "another"),
    ])
    .unwrap();
    assert_eq!(
        config.storage.url().expose_secret(),
        "postgres://app:p%40ss%2Fw%3Ard@db:5432/shop"
    );
    assert_eq!(config.storage.migrate, Migrate::Check);
    assert!(config.tokens.secret.is_some());
}

#[test]
fn a_port_or_a_user_alone_switches_nothing_and_service_links_are_skipped() {
    let link = "tcp://10.0.0.1:5432";
    let alone = [
        ("POSTGRES_PORT", "5432"),
        ("POSTGRES_USER", "app"),
        ("RABBITMQ_PORT", link),
        ("REDIS_PORT", "1"),
    ];
    let config = load(&alone).unwrap();
    assert!(matches!(config.storage.backend, StorageBackend::Sqlite { .. }));
    assert!(matches!(
        (config.broker, config.cache),
        (Broker::Embedded, Cache::Memory)
    ));
    let config = load(&[("POSTGRES_HOST", "db"), ("POSTGRES_PORT", link)]).unwrap();
    assert_eq!(
        config.storage.url().expose_secret(),
        "postgres://postgres@db:5432/postgres"
    );
    assert!(refusal(&[("POSTGRES_HOST", "db"), ("POSTGRES_PORT", "http")]).contains("POSTGRES_PORT"));
}

#[test]
fn a_host_chooses_rabbitmq_and_a_port_alone_does_not() {
    let broker = |variables: &[(&str, &str)]| match load(variables).unwrap().broker {
        Broker::Amqp { url } => url.expose_secret().to_owned(),
        Broker::Embedded => "embedded".to_owned(),
    };
    assert_eq!(
        broker(&[("RABBITMQ_HOST", "mq"), ("RABBITMQ_PORT", "tcp://10.0.0.1:5672")]),
        "amqp://guest:guest@mq:5672/%2F"
    );
    // Kubernetes puts these into every container beside a service named rabbitmq.
    assert_eq!(
        broker(&[("RABBITMQ_PORT", "tcp://10.0.0.1:5672"), ("RABBITMQ_USER", "app")]),
        "embedded"
    );
    let all = [
        ("RABBITMQ_HOST", "mq"),
        ("RABBITMQ_PORT", "5673"),
        ("RABBITMQ_USER", "a/b"),
        ("RABBITMQ_PASSWORD", "p@ss"),
        ("RABBITMQ_VHOST", "prod"),
    ];
    assert_eq!(broker(&all), "amqp://a%2Fb:p%40ss@mq:5673/prod");
    let config = load(&all).unwrap();
    assert!(!format!("{config:?}").contains("p%40ss"));
    let python = [("GATEPOST__MAIL__WIRE", "python"), ("RABBITMQ_HOST", "mq")];
    assert!(load(&python).is_ok());
}

#[test]
fn a_redis_host_switches_the_cache_and_kubernetes_links_do_not() {
    let cache = |variables: &[(&str, &str)]| {
        let config = load(variables).unwrap();
        match config.cache {
            crate::config::Cache::Memory => "memory".to_owned(),
            crate::config::Cache::Redis { url } => url.expose_secret().to_owned(),
        }
    };
    assert_eq!(cache(&[("REDIS_PORT", "1"), ("REDIS_PASSWORD", "x")]), "memory");
    assert_eq!(cache(&[("REDIS_PORT", "tcp://10.0.0.1:6379")]), "memory");
    assert_eq!(cache(&[("REDIS_HOST", "cache")]), "redis://cache:6379");
    let linked = [("REDIS_HOST", "fd00::1"), ("REDIS_PORT", "tcp://10.0.0.1:6379")];
    assert_eq!(cache(&linked), "redis://[fd00::1]:6379");
    let all = [
        ("REDIS_HOST", "cache"),
        ("REDIS_PORT", "6380"),
        ("REDIS_PASSWORD", "p@ss"),
        ("REDIS_DB", "2"),
    ];
    assert_eq!(cache(&all), "redis://:p%40ss@cache:6380/2");
    assert!(!format!("{:?}", load(&all).unwrap()).contains("p%40ss"));
    assert!(refusal(&[("REDIS_HOST", "cache"), ("REDIS_PORT", "6380.")]).contains("is not a port"));
}

#[test]
fn tokens_and_accounts_call_a_user_by_the_same_column() {
    let with = |id: &'static str| {
        [
            ("GATEPOST__TOKENS__DIALECT", "simplejwt"),
            ("SECRET_KEY", "0123456789abcdef0123456789abcdef"),
            ("GATEPOST__SIMPLEJWT__USER_ID_FIELD", "code"),
            ("GATEPOST__ACCOUNTS__DJANGO__ID", id),
        ]
    };
    assert!(refusal(&with("id")).contains("set accounts.django.id"));
    let config = load(&with("code")).unwrap();
    assert_eq!(config.simplejwt.settings.user_id_column(), Some("code"));
}

#[test]
fn bad_values_and_combinations_are_refused_by_name() {
    for (name, value, says) in [
        ("GATEPOST__HTTP__BIND", "localhost", "127.0.0.1:8080"),
        ("GATEPOST__TOKENS__DIALECT", "simplejwt", "SECRET_KEY"),
        ("GATEPOST__TOKENS__ACCEPT", "simplejwt", "SECRET_KEY"),
        (
            "GATEPOST__SIMPLEJWT__TOKEN_OBTAIN_SERIALIZER",
            "shop.Obtain",
            "Python code",
        ),
        ("GATEPOST__SIMPLEJWT__PREFIXES", "api/token", "is not a path"),
        (
            "GATEPOST__SIMPLEJWT__SLIDING_PREFIXES",
            "/api/sliding",
            "SlidingToken",
        ),
        ("GATEPOST__SIMPLEJWT__JTI_CLAIM", "", "must not be empty"),
        (
            "GATEPOST__SIMPLEJWT__AUTH_HEADER_NAME",
            "Authorization",
            "HTTP_AUTHORIZATION",
        ),
        ("GATEPOST__STORAGE__URL", "mysql://x", "sqlite://PATH"),
        ("GATEPOST__STORAGE__URL", "sqlite://:memory:", "must name a file"),
        ("GATEPOST__STORAGE__SCHEMA", "x\"; DROP", "small letters"),
        ("GATEPOST__STORAGE__MAX_CONNECTIONS", "0", "from 1"),
        ("GATEPOST__TOKENS__SECRET", "short", "32 or more"),
        ("GATEPOST__TOKENS__SECRET", "", "is empty"),
        ("GATEPOST__ACCOUNTS__MIN_PASSWORD_LENGTH", "7", "from 8"),
        ("GATEPOST__RETENTION__MAIL", "30", "duration"),
        (
            "GATEPOST__HTTP__CORS_ORIGINS",
            "https://a.example,*",
            "must start with",
        ),
        ("GATEPOST__CACHE__URL", "redis://cache/three", "/DATABASE"),
        ("GATEPOST__CACHE__URL", "memcached://cache", "rediss://"),
        ("GATEPOST__MAIL__TRANSPORT", "smtp://mx", "http.public_url"),
        ("GATEPOST__MAIL__WIRE", "python", "broker.url"),
        ("GATEPOST__BROKER__URL", "amqp://app:a/b@mq/v", "percent-encoded"),
        ("GATEPOST__BROKER__URL", "amqp://app:a@mq:99999/v", "HOST:PORT"),
        ("GATEPOST__MAIL__QUEUE", "gatepost.mail", "begins with gatepost."),
        ("GATEPOST__MAIL__ALLOWED_FROM", "@shop.example,shop", "\"shop\""),
        ("GATEPOST__QUEUES__EMAIL_QUEUE__TYPE", "quorum", "by a policy"),
        (
            "GATEPOST__QUEUES__EMAIL_QUEUE__DEAD_LETTERS",
            "true",
            "by a policy",
        ),
        ("GATEPOST__ACCOUNTS__SOURCE", "django", "is in PostgreSQL"),
        ("GATEPOST__ACCOUNTS__SOURCE", "django", "must be \"closed\""),
        ("GATEPOST__ACCOUNTS__DJANGO__ID_TYPE", "text", "\"integer\""),
        ("GATEPOST__ACCOUNTS__DJANGO__TABLE", "a..b", "can't be the name"),
        ("GATEPOST__MODULES", "accounts", "needs"),
        ("GATEPOST__MODULES", "post", "is not one of"),
        (
            "GATEPOST__TOKENS__PURPOSES__ACTIVATE__ONE_TIME",
            "false",
            "can't be changed",
        ),
        ("GATEPOST__TOKENS__PURPOSES__MINE__LIFETIME", "1d", "is missing"),
        ("GATEPOST__STORAGE__LISTEN_URL", "postgres://x/y", "SQLite"),
    ] {
        let text = refusal(&[(name, value)]);
        assert!(text.contains(says), "{name}={value}: {text}");
    }
    load(&[
        ("GATEPOST__QUEUES__EMAIL_QUEUE__RETRIES", "5s, 1m"),
        ("GATEPOST__MAIL__ALLOWED_FROM", "@shop.example,info@shop.example"),
    ])
    .unwrap();
    for lifetime in [
        "GATEPOST__SIMPLEJWT__REFRESH_TOKEN_LIFETIME",
        "GATEPOST__SIMPLEJWT__SLIDING_TOKEN_REFRESH_LIFETIME",
    ] {
        let text = refusal(&[(lifetime, "91d"), ("GATEPOST__TOKENS__ACCEPT", "simplejwt")]);
        assert!(text.contains("auth.session_max_age"), "{text}");
    }
    let text = refusal(&[("GATEPOST__TOKENS__SECRET", "hunter2")]);
    assert!(!text.contains("hunter2"), "{text}");
    let broken = with_file("[tokens]\nsecret = \"hunter2", &[])
        .unwrap_err()
        .to_string();
    assert!(
        broken.contains("line 2") && !broken.contains("hunter2"),
        "{broken}"
    );
}

#[test]
fn nothing_secret_is_shown() {
    let config = load(&[
        ("GATEPOST__STORAGE__URL", "postgres://app:hunter2@db/x"),
        ("GATEPOST__TOKENS__SECRET", "hunter2hunter2hunter2hunter2hunter2"),
        (
            "GATEPOST__TOKENS__PREVIOUS_SECRETS",
            "hunter2hunter2hunter2hunter2hunter2",
        ),
        ("GATEPOST__MAIL__TRANSPORT", "smtp://u:hunter2@mx"),
        ("GATEPOST__HTTP__PUBLIC_URL", "https://id.example.com"),
    ])
    .unwrap();
    assert!(!format!("{:?}", config.shown()).contains("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(config.tokens.audience, "https://id.example.com");
}

#[test]
fn what_is_derived_follows_the_port_that_was_really_bound() {
    let mut config = load(&[("GATEPOST__HTTP__BIND", "127.0.0.1:0")]).unwrap();
    config.bound_to("127.0.0.1:4242".parse().unwrap());
    assert_eq!(
        config.links.activate.with_token("t"),
        "http://127.0.0.1:4242/activate?token=t"
    );
    let mut config = load(&[("GATEPOST__HTTP__PUBLIC_URL", "https://x.test/id/")]).unwrap();
    config.bound_to("127.0.0.1:4242".parse().unwrap());
    assert_eq!(config.http.public_url.join("/docs"), "https://x.test/id/docs");
}

#[test]
fn the_secret_is_made_once_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let config = load(&[("GATEPOST__DATA_DIR", data.to_str().unwrap())]).unwrap();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let config = config.clone();
            std::thread::spawn(move || load_or_make_secret(&config).unwrap().expose_secret().to_owned())
        })
        .collect();
    let secrets: std::collections::BTreeSet<String> = starts.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(secrets.len(), 1, "all starts got the same secret");
    assert!(secrets.first().unwrap().len() >= 32);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("secret"))), (0o700, 0o600));
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "no draft is left");

    std::fs::set_permissions(data.join("secret"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        load_or_make_secret(&config),
        Err(SecretError::Open { .. })
    ));
    std::fs::write(data.join("secret"), "short").unwrap();
    std::fs::set_permissions(data.join("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(
        load_or_make_secret(&config),
        Err(SecretError::Short { .. })
    ));
}

#[test]
fn a_refresh_cookie_needs_https() {
    let plain = [
        ("GATEPOST__AUTH__REFRESH_COOKIE", "true"),
        ("GATEPOST__HTTP__PUBLIC_URL", "http://id.example.com"),
    ];
    let refused = with_file("", &plain).unwrap_err().to_string();
    assert!(refused.contains("auth.refresh_cookie"), "{refused}");
    let good = [plain[0], ("GATEPOST__HTTP__PUBLIC_URL", "https://id.example.com")];
    with_file("", &good).unwrap();
}
