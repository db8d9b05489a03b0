//! Every page in every language; what hostile data does to it; what browsers are told about it.

use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, header};
use serde_json::json;

use super::console::{ConsoleInbox, ConsoleLetter, ConsoleLogin, ConsoleSetUp, InboxRow};
use super::docs::Docs;
use super::view::{
    Account, Activate, Activated, ActivationWithdrawn, CheckMail, CheckMailReason, ConfirmEmail, Door,
    EmailChangeWithdrawn, EmailConfirmed, Failure, ForgotPassword, Invitation, InvitationAccepted, Landing,
    LinkKind, LinkRefusal, LinkRefused, Login, Notice, PasswordReset, Register, RegistrationClosed,
    ResetPassword, SessionRow,
};
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_795_349_700);
const HOSTILE: &str = "\"><script>alert('x')</script>";

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() - seconds)
}

fn short() -> Vec<Fault> {
    vec![Fault::new("password_too_short").on("password").min(15)]
}

macro_rules! shown {
    ($pages:ident, $lang:ident; $($name:literal => $page:expr),+ $(,)?) => {
        vec![$(($name, $pages.render(&$page, $lang, NOW).unwrap())),+]
    };
}

/// The pages behind links for those who have an account, or are to have one.
fn of_links(pages: &Pages, lang: Lang) -> Vec<(&'static str, String)> {
    let email = String::from("anna@example.com");
    let token = String::from("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln");
    let refused = |link, reason| LinkRefused {
        link,
        reason,
        registration_open: true,
    };
    shown! { pages, lang;
        "confirm_email" => ConfirmEmail { token: token.clone(), email: email.clone(), old: "a***@e***.org".into(),
            asked_at: ago(320), faults: vec![] },
        "confirm_email_taken" => ConfirmEmail { token: token.clone(), email: email.clone(), old: "a***@e***.org".into(),
            asked_at: ago(320), faults: vec![Fault::new("email_taken")] },
        "email_confirmed" => EmailConfirmed { email: email.clone(), already: false },
        "email_confirmed_already" => EmailConfirmed { email: email.clone(), already: true },
        "email_change_withdrawn" => EmailChangeWithdrawn {},
        "invitation" => Invitation { token: token.clone(), email: email.clone(), min_length: 15, faults: short() },
        "invitation_accepted" => InvitationAccepted { email: email.clone() },
        "link_confirm_expired" => refused(LinkKind::ConfirmEmail, LinkRefusal::Expired),
        "link_invitation_used" => refused(LinkKind::Invitation, LinkRefusal::Used),
    }
}

/// Every page with a name, as it looks when somebody uses it.
fn all(pages: &Pages, lang: Lang) -> Vec<(&'static str, String)> {
    let email = String::from("anna@example.com");
    let token = String::from("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln");
    let session = |id: &str, current, device: Option<&str>, seconds| SessionRow {
        id: id.into(),
        current,
        device: device.map(str::to_owned),
        address: Some("192.0.2.17".into()),
        started_at: ago(seconds * 30),
        last_seen_at: ago(seconds),
    };
    let row = |id: &str, template: &str, subject: &str, seconds| InboxRow {
        id: id.into(),
        to: "anna@example.com".into(),
        subject: subject.into(),
        template: template.into(),
        locale: "ru".into(),
        captured_at: ago(seconds),
    };
    let inbox = |to: &str, mails, next, capturing| ConsoleInbox {
        csrf: "c".into(),
        administrator: "admin@example.com".into(),
        to: to.into(),
        mails,
        next,
        capturing,
    };
    let refused = |link, reason| LinkRefused {
        link,
        reason,
        registration_open: true,
    };
    let mut all = shown! { pages, lang;
        "landing" => Landing { registration: Door::Open, console: true, docs: true },
        "landing_closed" => Landing { registration: Door::Closed, console: false, docs: false },
        "landing_invite" => Landing { registration: Door::Invite, console: false, docs: false },
        "registration_closed" => RegistrationClosed { by_invitation: false },
        "registration_invite" => RegistrationClosed { by_invitation: true },
        "register" => Register { email: String::new(), min_length: 15, faults: vec![] },
        "register_wrong" => Register { email: email.clone(), min_length: 15, faults: vec![
            Fault::new("rate_limited"), Fault::new("invalid_email").on("email"), short().remove(0)] },
        "check_mail" => CheckMail { reason: CheckMailReason::Registered, email: email.clone(), captured: true },
        "check_mail_forgot" => CheckMail { reason: CheckMailReason::PasswordForgotten, email: email.clone(), captured: false },
        "login" => Login { email: String::new(), faults: vec![], notice: None, registration_open: true },
        "login_wrong" => Login { email: email.clone(), faults: vec![Fault::new("invalid_credentials")], notice: None, registration_open: true },
        "login_after" => Login { email: String::new(), faults: vec![], notice: Some(Notice::LoggedOutEverywhere), registration_open: false },
        "forgot_password" => ForgotPassword { email: String::new(), faults: vec![] },
        "activate" => Activate { token: token.clone(), asked_at: ago(320), faults: vec![] },
        "activate_wrong" => Activate { token: token.clone(), asked_at: ago(90_000), faults: vec![Fault::new("press_needed")] },
        "activated" => Activated { already: false },
        "activated_already" => Activated { already: true },
        "activation_withdrawn" => ActivationWithdrawn {},
        "reset_password" => ResetPassword { token: token.clone(), min_length: 15, faults: short() },
        "password_reset" => PasswordReset {},
        "link_activate_expired" => refused(LinkKind::Activate, LinkRefusal::Expired),
        "link_activate_used" => refused(LinkKind::Activate, LinkRefusal::Used),
        "link_reset_used" => refused(LinkKind::ResetPassword, LinkRefusal::Used),
        "link_reset_unknown" => refused(LinkKind::ResetPassword, LinkRefusal::Unknown),
        "account" => Account {
            csrf: "c".into(), email: email.clone(), created_at: ago(86_400 * 40), min_length: 15, new_email: String::new(),
            faults: vec![Fault::new("wrong_password").on("current")], notice: Some(Notice::SessionEnded),
            sessions: vec![
                session("a", true, Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), 5),
                session("b", false, Some("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18 Mobile Safari/604"), 7200),
                session("c", false, None, 86_400 * 3)],
        },
        "account_alone" => Account { csrf: "c".into(), email: email.clone(), created_at: NOW, min_length: 15, new_email: String::new(),
            faults: vec![], notice: None, sessions: vec![] },
        "failure_404" => Failure::new(StatusCode::NOT_FOUND, "not_found"),
        "failure_429" => Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited").retry_after(120),
        "failure_500" => Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").request_id("01935470-aaaa-7bbb-8ccc-ddddeeeeffff"),
        "failure_418" => Failure::new(StatusCode::IM_A_TEAPOT, "teapot"),
        "console_set_up" => ConsoleSetUp { token: token.clone(), email: "admin@example.com".into(), min_length: 15, faults: vec![] },
        "console_set_up_first" => ConsoleSetUp { token: token.clone(), email: String::new(), min_length: 15, faults: vec![] },
        "console_login" => ConsoleLogin { email: String::new(), faults: vec![], notice: Some(Notice::AdministratorReady) },
        "console_inbox" => inbox("", vec![
            row("3", "activate_account", "Подтвердите регистрацию: Gatepost", 20),
            row("2", "password_changed", "Your Gatepost password was changed", 4000),
            row("1", "notification", "Your order is on its way, and this subject is longer than most are", 90_000),
        ], Some("a/b".into()), true),
        "console_inbox_empty" => inbox("", vec![], None, true),
        "console_inbox_none" => inbox("nobody@example.com", vec![], None, false),
        "console_letter" => ConsoleLetter {
            csrf: "c".into(), administrator: "admin@example.com".into(), id: "3".into(), to: email.clone(),
            from: "Gatepost <noreply@localhost>".into(), subject: "Activate your Gatepost account".into(),
            template: "activate_account".into(), locale: "en".into(),
            text: format!("Activate the account to finish:\n\nhttps://example.com/activate?token={token}\n\nThe link works once.\n"),
            headers: vec![("Message-ID".into(), "<01935470@example.com>".into()), ("Auto-Submitted".into(), "auto-generated".into())],
            captured_at: ago(20),
        },
        "docs" => Docs::of(&openapi()),
    };
    all.extend(of_links(pages, lang));
    all
}

/// A small document in the shape of ours.
fn openapi() -> serde_json::Value {
    let error = json!({ "description": "Refused.", "content": { "application/problem+json": { "schema": { "type": "object",
        "properties": { "code": { "type": "string" }, "detail": { "type": "string" } } } } } });
    json!({
        "info": { "title": "Gatepost", "version": "0.1.0",
            "description": "Accounts, tokens and mail over HTTP. JSON in and out; errors are problem+json with a code." },
        "tags": [{ "name": "users", "description": "An account's life." }, { "name": "auth" }],
        "paths": {
            "/api/users": { "post": { "tags": ["users"], "summary": "Register",
                "description": "Answers the same whether or not the address is known.",
                "requestBody": { "content": { "application/json": { "schema": { "type": "object", "required": ["email", "password"],
                    "properties": {
                        "email": { "type": "string", "description": "Where the letter goes." },
                        "password": { "type": "string", "description": "At least 15 characters." },
                        "locale": { "type": ["string", "null"], "description": "The letters' language; else `Accept-Language`." } } } } } },
                "responses": { "202": { "description": "A letter is on its way." }, "422": error } } },
            "/api/users/me": {
                "get": { "tags": ["users"], "summary": "The user", "security": [{ "access": [] }], "responses": { "200": { "description": "The user." }, "401": error } },
                "delete": { "tags": ["users"], "summary": "Delete the account", "security": [{ "access": [] }], "responses": { "204": { "description": "It is gone." } } },
                "patch": { "tags": ["users"], "summary": "Change the profile", "security": [{ "access": [] }], "responses": { "200": { "description": "The user." } } } },
            "/api/auth/login": { "post": { "tags": ["auth"], "summary": "Log in", "responses": { "200": { "description": "A session.",
                "content": { "application/json": { "schema": { "type": "object", "properties": { "access": { "type": "string" }, "refresh": { "type": "string" }, "expires_in": { "type": "integer" } } } } } } } } },
            "/api/auth/sessions/{id}": { "delete": { "tags": ["auth"], "summary": "End a session", "security": [{ "access": [] }],
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" }, "description": "The session's id." }],
                "responses": { "204": { "description": "It has ended." } } } },
        },
    })
}

#[test]
fn every_page_renders_in_every_language_with_nothing_that_its_policy_forbids() {
    let pages = Pages::new().unwrap();
    for lang in Lang::ALL {
        for (name, html) in all(&pages, lang) {
            let at = format!("{name}.{}", lang.as_str());
            // `GATEPOST_SHOW` names a folder for people to open: the pages, with the stylesheet beside them.
            if let Ok(folder) = std::env::var("GATEPOST_SHOW") {
                let html = html.replace(&assets::address("gatepost.css"), "gatepost.css");
                std::fs::write(format!("{folder}/{at}.html"), html).unwrap();
                std::fs::write(
                    format!("{folder}/gatepost.css"),
                    assets::get("gatepost.css").unwrap().bytes,
                )
                .unwrap();
            }
            assert!(
                html.contains(&format!("<html lang=\"{}\">", lang.as_str())),
                "{at}"
            );
            for forbidden in [
                " style=",
                "<style",
                "<script",
                "javascript:",
                " onclick",
                "{{",
                "{%",
            ] {
                assert!(!html.contains(forbidden), "{at} holds {forbidden}");
            }
            assert!(!html.contains(">undefined<") && !html.contains(">none<"), "{at}");
        }
    }
}

#[test]
fn hostile_text_is_text_on_every_page_that_shows_any() {
    let pages = Pages::new().unwrap();
    let hostile = || HOSTILE.to_owned();
    let shown = [
        pages.render(
            &Register {
                email: hostile(),
                min_length: 15,
                faults: vec![Fault::new(HOSTILE).on("email").detail(HOSTILE)],
            },
            Lang::En,
            NOW,
        ),
        pages.render(
            &CheckMail {
                reason: CheckMailReason::Registered,
                email: hostile(),
                captured: false,
            },
            Lang::Ru,
            NOW,
        ),
        pages.render(
            &Activate {
                token: hostile(),
                asked_at: NOW,
                faults: vec![],
            },
            Lang::Uk,
            NOW,
        ),
        pages.render(
            &Failure::new(StatusCode::BAD_REQUEST, HOSTILE).request_id(HOSTILE),
            Lang::En,
            NOW,
        ),
        pages.render(
            &Account {
                csrf: hostile(),
                email: hostile(),
                created_at: NOW,
                new_email: hostile(),
                min_length: 8,
                faults: vec![],
                notice: None,
                sessions: vec![SessionRow {
                    id: hostile(),
                    current: false,
                    device: Some(hostile()),
                    address: Some(hostile()),
                    started_at: NOW,
                    last_seen_at: NOW,
                }],
            },
            Lang::En,
            NOW,
        ),
        pages.render(
            &ConsoleLetter {
                csrf: hostile(),
                administrator: hostile(),
                id: hostile(),
                to: hostile(),
                from: hostile(),
                subject: hostile(),
                template: hostile(),
                locale: hostile(),
                text: format!("{HOSTILE}\nhttps://x.test/{HOSTILE}\njavascript:alert(1)"),
                headers: vec![(hostile(), hostile())],
                captured_at: NOW,
            },
            Lang::En,
            NOW,
        ),
    ];
    for html in shown {
        let html = html.unwrap();
        assert!(
            !html.contains("<script") && html.contains("&lt;script&gt;"),
            "{html}"
        );
        assert!(!html.contains("href=\"javascript:"), "{html}");
    }
}

#[test]
fn forms_carry_the_names_that_the_routes_read() {
    let pages = Pages::new().unwrap();
    let page = |name: &str| {
        all(&pages, Lang::En)
            .into_iter()
            .find(|(n, _)| *n == name)
            .unwrap()
            .1
    };
    for (name, fields) in [
        ("register", &["email", "password", "locale"][..]),
        ("login", &["email", "password"]),
        ("forgot_password", &["email"]),
        ("activate", &["token", "answer"]),
        ("reset_password", &["token", "password"]),
        (
            "account",
            &["csrf", "action", "session", "current", "new", "email", "password"],
        ),
        ("confirm_email", &["token", "answer"]),
        ("invitation", &["token", "password"]),
        ("console_set_up", &["token", "password"]),
        ("console_inbox", &["csrf", "to"]),
    ] {
        for field in fields {
            assert!(
                page(name).contains(&format!("name=\"{field}\"")),
                "{name}: {field}"
            );
        }
    }
    assert!(page("register_wrong").contains("use at least 15 characters"));
    assert!(page("activate").contains("5 minutes ago"));
}

#[tokio::test]
async fn pages_and_assets_tell_browsers_what_to_do_with_them() {
    let pages = Pages::new().unwrap();
    let answer = pages.answer(
        StatusCode::NOT_FOUND,
        &Failure::new(StatusCode::NOT_FOUND, "not_found"),
        Lang::Uk,
        NOW,
    );
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let head = answer.headers();
    assert_eq!(head[header::CONTENT_SECURITY_POLICY], CSP);
    assert_eq!(head[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(head[header::CACHE_CONTROL], "no-store");
    assert_eq!(head[header::CONTENT_LANGUAGE], "uk");

    let address = assets::address("gatepost.css");
    let (_, version) = address.split_once("?v=").unwrap();
    let get = async |name: &str, query: Option<String>, known: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(known) = known {
            headers.insert(header::IF_NONE_MATCH, known.parse().unwrap());
        }
        assets::serve(Path(name.to_owned()), RawQuery(query), headers).await
    };
    let first = get("gatepost.css", Some(format!("v={version}")), None).await;
    assert!(
        first.headers()[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(
        get("gatepost.css", None, Some(&etag)).await.status(),
        StatusCode::NOT_MODIFIED
    );
    assert_eq!(
        get("gatepost.css", Some("v=old".into()), None).await.headers()[header::CACHE_CONTROL],
        "no-cache"
    );
    assert_eq!(
        get("../strings/en.json", None, None).await.status(),
        StatusCode::NOT_FOUND
    );

    let letter = answer::frame("<html><head><title>x</title></head></html>");
    assert!(
        letter.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
}
