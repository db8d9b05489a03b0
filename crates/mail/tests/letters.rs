//! Every letter in every language, and what hostile data does to them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;

use gatepost_mail::letter::{AlreadyRegistered, Notification, PasswordChanged};
use gatepost_mail::{Error, Letter, Rendered, Site, Templates};
use serde::Serialize;
use serde_json::json;

fn templates() -> Templates {
    Templates::built_in()
        .unwrap()
        .with_site(Site::new("Gatepost").url("https://example.com"))
}

/// Where a test may look at what it made: `GATEPOST_SHOW` names a folder for people to open.
fn show(name: &str, mail: &Rendered) {
    if let Ok(folder) = std::env::var("GATEPOST_SHOW") {
        std::fs::write(Path::new(&folder).join(format!("{name}.html")), &mail.html).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.txt")), &mail.text).unwrap();
    }
}

#[test]
fn every_letter_in_every_language_looks_as_it_did() {
    let templates = templates();
    templates.check_all().unwrap();
    let names: Vec<_> = templates.names().map(str::to_owned).collect();
    assert_eq!(names.len(), 12);
    for name in names {
        for locale in ["en", "ru", "uk"] {
            let sample = templates.sample(&name).unwrap();
            let mail = templates.render_raw(&name, locale, sample).unwrap();
            assert_eq!(mail.locale, locale);
            show(&format!("{name}.{locale}"), &mail);
            insta::assert_snapshot!(
                format!("{name}.{locale}.txt"),
                format!("Subject: {}\n\n{}", mail.subject, mail.text)
            );
            insta::assert_snapshot!(format!("{name}.{locale}.html"), mail.html);
        }
    }
}

#[test]
fn every_link_stands_whole_on_a_line_of_its_own_in_the_text() {
    let templates = templates();
    for name in templates.names() {
        let sample = templates.sample(name).unwrap();
        let links: Vec<String> = sample
            .as_object()
            .unwrap()
            .values()
            .filter_map(|value| value.get("$secret").unwrap_or(value).as_str())
            .filter(|value| value.starts_with("https://"))
            .map(str::to_owned)
            .collect();
        for locale in templates.locales(name).unwrap() {
            let mail = templates.render_raw(name, locale, sample).unwrap();
            for link in &links {
                assert!(
                    mail.text.lines().any(|line| line == link),
                    "{name}.{locale}: {link}"
                );
                assert!(mail.html.contains(&format!(">{link}</a>")), "{name}.{locale}");
            }
        }
    }
}

#[test]
fn a_letter_shouts_at_nobody_and_loads_nothing_from_afar() {
    let templates = templates();
    for name in templates.names().filter(|name| *name != "notification") {
        for locale in templates.locales(name).unwrap() {
            let sample = templates.sample(name).unwrap();
            let mail = templates.render_raw(name, locale, sample).unwrap();
            assert!(
                !mail.text.contains('!') && !mail.subject.contains('!'),
                "{name}.{locale}"
            );
            assert!(!mail.html.contains("<img") && !mail.html.contains("url("));
            assert!(!mail.html.contains("{{") && !mail.text.contains("{%"));
        }
    }
}

#[test]
fn hostile_text_is_text() {
    let mail = templates()
        .render(
            &Notification {
                title: "Hi\r\nBcc: victim@example.com\u{0}<script>alert(1)</script>".into(),
                message: "<script>alert('x')</script>\n\n\"><img src=x onerror=alert(1)> & so on".into(),
            },
            "en",
        )
        .unwrap();
    assert_eq!(
        mail.subject,
        "Hi Bcc: victim@example.com <script>alert(1)</script>"
    );
    assert!(!mail.html.contains("<script") && !mail.html.contains("<img"));
    assert!(
        mail.html
            .contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;")
    );
    assert!(
        mail.html
            .contains("&quot;&gt;&lt;img src=x onerror=alert(1)&gt; &amp; so on")
    );
    assert!(
        mail.text.contains("<script>alert('x')</script>"),
        "plain text stays as it is"
    );
}

#[test]
fn an_address_that_runs_is_refused() {
    let mut letter = AlreadyRegistered::sample();
    letter.login_url = "javascript:alert(document.cookie)".into();
    let refused = templates().render(&letter, "ru").unwrap_err();
    assert!(matches!(refused, Error::Render { .. }), "{refused:?}");
    assert!(refused.to_string().contains("safe_url"), "{refused}");
    assert!(
        !format!("{refused:?}").contains("document.cookie"),
        "the value stays out of logs"
    );
}

#[test]
fn data_cannot_pass_itself_off_as_the_sender() {
    let mail = templates()
        .render_raw(
            "notification",
            "en",
            &json!({ "title": "t", "message": "m", "site": { "name": "Your bank" }, "locale": "x" }),
        )
        .unwrap();
    assert!(!mail.html.contains("Your bank") && mail.html.contains("Gatepost"));
}

#[test]
fn a_reader_gets_the_nearest_language() {
    let letter = PasswordChanged::sample();
    let locale_for = |wanted| templates().render(&letter, wanted).unwrap().locale;
    assert_eq!(locale_for("ru-RU"), "ru");
    assert_eq!(locale_for("uk_UA"), "uk");
    assert_eq!(locale_for("fr"), "en");
}

#[test]
fn unknown_names_and_missing_fields_are_named() {
    let unknown = templates().render_raw("nope", "en", &json!({})).unwrap_err();
    assert!(unknown.to_string().contains("welcome"), "{unknown}");
    let lacking = templates()
        .render_raw("notification", "en", &json!({ "message": "m" }))
        .unwrap_err();
    assert!(
        matches!(&lacking, Error::Undefined { variables, .. } if variables == "title"),
        "{lacking}"
    );
    let list = templates().render_raw("welcome", "en", &json!([1])).unwrap_err();
    assert!(matches!(list, Error::NotAnObject { .. }));
}

mod folder {
    use super::*;

    #[derive(Serialize)]
    struct Invoice {
        number: u32,
    }

    impl Letter for Invoice {
        const TEMPLATE: &'static str = "invoice";

        fn sample() -> Self {
            Self { number: 42 }
        }
    }

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    const INVOICE: [(&str, &str); 3] = [
        ("invoice/en/subject.txt.j2", "Invoice {{ number }}"),
        (
            "invoice/en/body.txt.j2",
            "{% extends 'layouts/letter.txt.j2' %}{% block body %}Number {{ number }}{% endblock %}",
        ),
        (
            "invoice/en/body.html.j2",
            "{% extends 'layouts/letter.html.j2' %}{% block body %}Number {{ number }}{% endblock %}",
        ),
    ];

    #[test]
    fn adds_letters_and_replaces_single_parts_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &INVOICE);
        write(
            dir.path(),
            &[
                ("welcome/ru/subject.txt.j2", "Добро пожаловать в {{ site.name }}"),
                ("invoice/sample.json", r#"{ "number": 7 }"#),
                (".DS_Store", "x"),
            ],
        );
        let templates = Templates::folder(dir.path()).unwrap();
        templates.check_all().unwrap();
        let mail = templates.render(&Invoice { number: 1 }, "ru").unwrap();
        assert_eq!((mail.subject.as_str(), mail.locale.as_str()), ("Invoice 1", "en"));
        assert!(mail.text.starts_with("Number 1"));
        let ours = templates
            .render_raw("welcome", "ru", templates.sample("welcome").unwrap())
            .unwrap();
        assert_eq!(ours.subject, "Добро пожаловать в Gatepost");
        assert!(ours.text.contains("Адрес подтверждён"));
        assert!(
            templates
                .eject("welcome")
                .unwrap()
                .iter()
                .any(|(name, _)| *name == "welcome/uk/body.html.j2")
        );
    }

    #[test]
    fn a_letter_without_a_sample_is_not_checked_in_silence() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &INVOICE);
        let templates = Templates::folder(dir.path()).unwrap();
        let problem = templates.check_all().unwrap_err();
        assert!(matches!(problem, Error::NoSample { .. }), "{problem}");
        templates.check::<Invoice>().unwrap().check_all().unwrap();
    }

    #[test]
    fn what_is_wrong_is_named_at_check_time() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (
                &[("welcome/en/body.txt.j2", "{{ login_url }} {{ nme }}")],
                "`welcome/en/body.txt.j2` line 1 uses what the letter does not have: nme",
            ),
            (
                &[("welcome/de/subject.txt.j2", "Willkommen")],
                "`welcome/de/body.txt.j2` is missing",
            ),
            (
                &[("welcome/en/subject.txt.j2", "  {% if true %}{% endif %}")],
                "`welcome` in `en` has an empty subject",
            ),
            (
                &[(
                    "welcome/en/subject.txt.j2",
                    "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
                )],
                "fuel",
            ),
            (
                &[("welcome/en/subject.txt.j2", "{% if %}")],
                "`welcome/en/subject.txt.j2` line 1",
            ),
            (&[("welcome/en/subject.txt", "typo")], "is not a template"),
        ];
        for (files, expected) in cases {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), files);
            let problem = Templates::folder(dir.path())
                .and_then(|templates| templates.check_all())
                .unwrap_err();
            assert!(problem.to_string().contains(expected), "{problem}");
        }
    }
}
