//! The section `simplejwt`: every setting of `SIMPLE_JWT`, in small letters, and what only we ask.

use std::time::Duration;

use axum::http::HeaderName;
use gatepost_tokens::Algorithm;
use gatepost_tokens::simplejwt::{Audience, Settings, SimpleJwt, UserIdType};

use super::error::Problem;
use super::parsers::{not_empty, one_of, some};
use super::reader::{Reader, Seen};
use super::{Config, Dialect, UserSource};

/// The settings of the Django project beside us, and where its routes and tables are.
#[derive(Clone, Debug)]
pub struct SimpleJwtConfig {
    /// `SIMPLE_JWT`. The kinds of token are those of `tokens.purposes`.
    pub settings: Settings,
    /// Under which paths simplejwt's routes answer; djoser's names under each as well.
    pub prefixes: Vec<String>,
    /// The same for sliding tokens.
    pub sliding_prefixes: Vec<String>,
    /// The schema of Django's tables; empty: tables of our own.
    pub schema: String,
    /// What the name of who logs in is called in the body, if it is not called as usual.
    pub username_field: Option<String>,
}

const PATH: &str = "rest_framework_simplejwt.";

/// Settings that name Python code, with the one value that we follow.
const CODE: [(&str, &str); 9] = [
    ("json_encoder", ""),
    (
        "user_authentication_rule",
        "authentication.default_user_authentication_rule",
    ),
    ("token_user_class", "models.TokenUser"),
    ("token_obtain_serializer", "serializers.TokenObtainPairSerializer"),
    ("token_refresh_serializer", "serializers.TokenRefreshSerializer"),
    ("token_verify_serializer", "serializers.TokenVerifySerializer"),
    (
        "token_blacklist_serializer",
        "serializers.TokenBlacklistSerializer",
    ),
    (
        "sliding_token_obtain_serializer",
        "serializers.TokenObtainSlidingSerializer",
    ),
    (
        "sliding_token_refresh_serializer",
        "serializers.TokenRefreshSlidingSerializer",
    ),
];

/// What was wrong has been said: the rest is read all the same, so that all problems come out at once.
fn set<T>(place: &mut T, read: Option<T>) {
    if let Some(value) = read {
        *place = value;
    }
}

pub(crate) fn simplejwt(r: &mut Reader) -> SimpleJwtConfig {
    code(r);
    let signing_key = r.text("simplejwt.signing_key", Seen::Length);
    let mut settings = Settings::new(signing_key.unwrap_or_default());
    let s = &mut settings;
    for (key, lifetime) in [
        ("access_token_lifetime", &mut s.access_token_lifetime),
        ("refresh_token_lifetime", &mut s.refresh_token_lifetime),
        ("sliding_token_lifetime", &mut s.sliding_token_lifetime),
        (
            "sliding_token_refresh_lifetime",
            &mut s.sliding_token_refresh_lifetime,
        ),
    ] {
        let key = format!("simplejwt.{key}");
        set(lifetime, r.duration(&key));
        if *lifetime < Duration::from_secs(1) || *lifetime > gatepost_tokens::MAX_LIFETIME {
            r.problem(&key, "must be from a second to 366 days");
        }
    }
    set(&mut s.leeway, r.duration("simplejwt.leeway"));
    for (key, switch) in [
        ("rotate_refresh_tokens", &mut s.rotate_refresh_tokens),
        ("blacklist_after_rotation", &mut s.blacklist_after_rotation),
        ("update_last_login", &mut s.update_last_login),
        ("check_revoke_token", &mut s.check_revoke_token),
        ("check_user_is_active", &mut s.check_user_is_active),
    ] {
        set(switch, r.switch(&format!("simplejwt.{key}")));
    }
    let algorithms = Algorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
    let algorithm = r.parsed("simplejwt.algorithm", Seen::Whole, |text| {
        one_of(text, &algorithms)
    });
    set(&mut s.algorithm, algorithm);
    set(
        &mut s.verifying_key,
        r.text("simplejwt.verifying_key", Seen::Length),
    );
    set(&mut s.audience, audience(r));
    set(&mut s.issuer, r.text("simplejwt.issuer", Seen::Whole).map(some));
    set(&mut s.jwk_url, r.text("simplejwt.jwk_url", Seen::Url).map(some));
    set(&mut s.auth_header_types, header_types(r));
    let header = r.parsed("simplejwt.auth_header_name", Seen::Whole, header_name);
    set(&mut s.auth_header_name, header);
    set(&mut s.auth_token_types, token_types(r));
    let field = r.parsed("simplejwt.user_id_field", Seen::Whole, not_empty);
    set(&mut s.user_id_field, field);
    let mut claim = |key: &str| r.parsed(&format!("simplejwt.{key}"), Seen::Whole, claim_name);
    set(&mut s.user_id_claim, claim("user_id_claim"));
    set(&mut s.token_type_claim, claim("token_type_claim").map(some));
    set(&mut s.jti_claim, claim("jti_claim").map(some));
    set(
        &mut s.sliding_token_refresh_exp_claim,
        claim("sliding_token_refresh_exp_claim"),
    );
    set(&mut s.revoke_token_claim, claim("revoke_token_claim"));
    let kinds = [("string", UserIdType::String), ("integer", UserIdType::Integer)];
    let kind = r.parsed("simplejwt.user_id_type", Seen::Whole, |text| one_of(text, &kinds));
    set(&mut s.user_id_type, kind);
    if s.jti_claim.is_none() {
        r.problem(
            "simplejwt.jti_claim",
            "must not be empty: the tables know tokens by it",
        );
    }
    if s.user_id_claim.is_empty() {
        r.problem("simplejwt.user_id_claim", "must not be empty");
    }
    let prefixes = prefixes(r, "simplejwt.prefixes").unwrap_or_default();
    let sliding_prefixes = sliding(r, &settings, &prefixes).unwrap_or_default();
    let schema = r.parsed("simplejwt.schema", Seen::Whole, |text| {
        if text.len() <= 63 && !text.contains('\0') {
            Ok(text.to_owned())
        } else {
            Err("is longer than PostgreSQL lets a schema's name be (63 bytes)".to_owned())
        }
    });
    let username_field = r
        .text("simplejwt.username_field", Seen::Whole)
        .unwrap_or_default();
    SimpleJwtConfig {
        settings,
        prefixes,
        sliding_prefixes,
        schema: schema.unwrap_or_default(),
        username_field: some(username_field),
    }
}

/// Settings that name Python code: what we do ourselves, or nothing.
fn code(r: &mut Reader) {
    for (name, followed) in CODE {
        let key = format!("simplejwt.{name}");
        let text = r.text(&key, Seen::Whole).unwrap_or_default();
        if !text.is_empty() && text.strip_prefix(PATH) != Some(followed) {
            r.problem(
                &key,
                "names Python code, which can't run here; take it out, and see docs/from-django.md",
            );
        }
    }
}

/// A text is one name, a list several: tokens show the difference.
#[expect(
    clippy::option_option,
    reason = "wrong, not set and set are three things here, gone one function further up"
)]
fn audience(r: &mut Reader) -> Option<Option<Audience>> {
    let key = "simplejwt.audience";
    if r.is_list(key) {
        let names = r.list(key, Seen::Whole)?;
        return Some((!names.is_empty()).then_some(Audience::Several(names)));
    }
    let text = r.text(key, Seen::Whole)?;
    if text.contains(',') {
        let names = text.split(',').map(|name| name.trim().to_owned()).collect();
        return Some(Some(Audience::Several(names)));
    }
    Some(some(text).map(Audience::One))
}

fn header_types(r: &mut Reader) -> Option<Vec<String>> {
    let key = "simplejwt.auth_header_types";
    let types = r.list(key, Seen::Whole)?;
    let good = |kind: &String| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    if types.is_empty() || !types.iter().all(good) {
        r.problem(key, "must be one or more words, as in [\"Bearer\"]");
        return None;
    }
    Some(types)
}

/// As Django writes it: `HTTP_X_TOKEN` is the header `X-Token`.
fn header_name(text: &str) -> Result<String, String> {
    let good = text.strip_prefix("HTTP_").is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    });
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no header as Django writes it; the usual one is HTTP_AUTHORIZATION"
        ))
    }
}

fn token_types(r: &mut Reader) -> Option<Vec<String>> {
    let key = "simplejwt.auth_token_classes";
    let mut types = Vec::new();
    for class in r.list(key, Seen::Whole)? {
        types.push(match class.strip_prefix(PATH).unwrap_or(&class) {
            "tokens.AccessToken" | "access" => "access".to_owned(),
            "tokens.SlidingToken" | "sliding" => "sliding".to_owned(),
            _ => {
                r.problem(
                    key,
                    format!("{class:?} is neither {PATH}tokens.AccessToken nor {PATH}tokens.SlidingToken"),
                );
                return None;
            }
        });
    }
    if types.is_empty() {
        r.problem(key, "is empty, which would refuse every token");
        return None;
    }
    Some(types)
}

fn claim_name(text: &str) -> Result<String, String> {
    if ["exp", "iat", "nbf", "aud", "iss"].contains(&text) || text.chars().any(char::is_control) {
        return Err(format!("{text:?} can't name a claim of its own"));
    }
    Ok(text.to_owned())
}

fn prefixes(r: &mut Reader, key: &str) -> Option<Vec<String>> {
    let mut prefixes = Vec::new();
    for prefix in r.list(key, Seen::Whole)? {
        let path = prefix.trim_end_matches('/');
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~'));
        if !path.starts_with('/') || path.contains("//") || !plain {
            r.problem(key, format!("{prefix:?} is not a path; write \"/api/token\""));
            return None;
        }
        let ours = [
            "/api/auth",
            "/api/users",
            "/api/tokens",
            "/api/mail",
            "/api/service",
            "/api/queues",
            "/console",
        ];
        if ours.contains(&path) || prefixes.iter().any(|known| known == path) {
            r.problem(key, format!("{prefix:?} is taken"));
            return None;
        }
        prefixes.push(path.to_owned());
    }
    Some(prefixes)
}

fn sliding(r: &mut Reader, settings: &Settings, taken: &[String]) -> Option<Vec<String>> {
    let key = "simplejwt.sliding_prefixes";
    let sliding = prefixes(r, key)?;
    if !sliding.is_empty() && !settings.auth_token_types.iter().any(|kind| kind == "sliding") {
        r.problem(
            key,
            "needs SlidingToken in simplejwt.auth_token_classes, or nobody would take what it gives",
        );
    }
    if sliding.iter().any(|prefix| taken.contains(prefix)) {
        r.problem(
            key,
            "stands in simplejwt.prefixes as well; a path gives one kind of token",
        );
    }
    Some(sliding)
}

impl Config {
    /// What the name of who logs in is called in the body of simplejwt's obtain route: `email` for accounts of ours,
    /// the column of `USERNAME_FIELD` for a Django project's.
    pub fn username_field(&self) -> &str {
        let usual = match self.accounts.source {
            UserSource::Own => "email",
            UserSource::Django => &self.accounts.django.columns.username,
        };
        self.simplejwt.username_field.as_deref().unwrap_or(usual)
    }

    /// The header that simplejwt's tokens come in, while they are made or taken.
    pub fn auth_header(&self) -> Option<HeaderName> {
        if !self.uses_simplejwt() {
            return None;
        }
        let name = self.simplejwt.settings.auth_header_name.strip_prefix("HTTP_")?;
        name.replace('_', "-").to_ascii_lowercase().parse().ok()
    }

    /// Whether simplejwt's tokens are made or taken.
    pub fn uses_simplejwt(&self) -> bool {
        self.tokens.dialect == Dialect::Simplejwt || self.tokens.accept.contains(&Dialect::Simplejwt)
    }
}

/// What is wrong with it once it is used.
pub(crate) fn check(config: &Config, problems: &mut Vec<Problem>) {
    if !config.uses_simplejwt() {
        return;
    }
    let settings = &config.simplejwt.settings;
    let mut wrong = |key: &str, text: String| {
        let shown = config.shown.iter().find(|shown| shown.key == key);
        let source = shown.map(|shown| shown.source.to_string()).unwrap_or_default();
        let key = key.to_owned();
        problems.push(Problem { key, source, text });
    };
    if secrecy::ExposeSecret::expose_secret(&settings.signing_key).is_empty() {
        let text = "is not set: it is SIMPLE_JWT's SIGNING_KEY, by default Django's SECRET_KEY. Better given by \
                    GATEPOST__SIMPLEJWT__SIGNING_KEY_FILE than written into a file of settings";
        wrong("simplejwt.signing_key", text.to_owned());
    } else if let Err(error) = SimpleJwt::new(settings.clone()) {
        wrong(error.key(), error.to_string());
    }
}
