//! Several servers, connections that are shared and recycled, what servers offer, and logins.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gatepost_mail::testing::SmtpSink;
use gatepost_mail::transport::smtp::{Smtp, SmtpOptions, SmtpSpec};
use gatepost_mail::transport::{Phase, SendError};

use super::{MESSAGE, address, send, short};

fn through(sinks: &[&SmtpSink], options: &SmtpOptions) -> Smtp {
    let specs = sinks.iter().map(|sink| {
        let mut spec: SmtpSpec = sink.url().parse().unwrap();
        spec.timeouts = short();
        spec
    });
    Smtp::from_specs(specs.collect(), options).unwrap()
}

fn with_login(sink: &SmtpSink, user: &str, query: &str, options: &SmtpOptions) -> Smtp {
    let url = sink.url().replace("smtp://", &format!("smtp://{user}@"));
    Smtp::with_options(&format!("{url}{query}"), options).unwrap()
}

#[tokio::test]
async fn the_next_server_stands_in_at_once_and_the_first_is_tried_again() {
    let (first, second) = (SmtpSink::start().unwrap(), SmtpSink::start().unwrap());
    let smtp = through(&[&first, &second], &SmtpOptions::default());
    send(&smtp, "ok-1").await.unwrap();
    assert_eq!((first.received().len(), second.received().len()), (1, 0));

    first.set_up(false);
    for n in 0..10 {
        send(&smtp, &format!("ok-{n}")).await.unwrap();
    }
    assert_eq!(second.received().len(), 10);
    let states = smtp.servers();
    assert!(
        states[0].paused_until.is_some() && states[0].why.contains("connect"),
        "{states:?}"
    );
    assert!(states[1].paused_until.is_none() && states[0].server == first.address().to_string());

    // After its pause one letter tries it, and then all go there again.
    first.set_up(true);
    let before = first.received().len();
    while first.received().len() == before {
        send(&smtp, "ok-probe").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(smtp.servers()[0].paused_until.is_none());
    let there = second.received().len();
    for n in 0..5 {
        send(&smtp, &format!("ok-{n}")).await.unwrap();
    }
    assert_eq!(second.received().len(), there);
}

#[tokio::test]
async fn what_a_server_says_about_a_letter_no_other_is_asked() {
    let (first, second) = (SmtpSink::start().unwrap(), SmtpSink::start().unwrap());
    let smtp = through(&[&first, &second], &SmtpOptions::default());
    for (to, phase) in [("perm", Phase::RcptTo), ("dperm", Phase::Dot)] {
        let error = send(&smtp, to).await.unwrap_err();
        assert!(
            matches!(error, SendError::Refused { phase: at, .. } if at == phase),
            "{error:?}"
        );
    }
    // Perhaps taken: asking another server would make a twin that the ledger does not know of.
    assert!(matches!(
        send(&smtp, "dropafterdot").await,
        Err(SendError::Unanswered { .. })
    ));
    assert!(matches!(
        send(&smtp, "r421afterdot").await,
        Err(SendError::Server {
            phase: Phase::Dot,
            ..
        })
    ));
    assert_eq!(second.dialogues(), 0);
    // What it says about itself is another thing.
    first.answer_mail(Some("421 4.3.2 later"));
    send(&smtp, "ok").await.unwrap();
    assert_eq!(second.received().len(), 1);
}

#[tokio::test]
async fn a_server_of_before_the_extensions_is_greeted_as_it_knows() {
    let sink = SmtpSink::start().unwrap();
    sink.be_ancient();
    let smtp = through(&[&sink], &SmtpOptions::default());
    send(&smtp, "ok").await.unwrap();
    assert_eq!(sink.received()[0].parameters, "", "nothing that it did not offer");
    // Without TLS it gets nothing unless that is said to be good enough.
    let safely = Smtp::connect(&format!("smtp://{}", sink.address())).unwrap();
    let error = send(&safely, "ok").await.unwrap_err().to_string();
    assert!(error.contains("STARTTLS"), "{error}");
}

#[tokio::test]
async fn a_server_at_fault_again_and_again_is_left_alone() {
    let sink = SmtpSink::start().unwrap();
    let smtp = through(&[&sink], &SmtpOptions::default());
    for greeting in ["554 5.7.1 no", "421 4.3.2 not now"] {
        sink.answer_greeting(Some(greeting));
        for _ in 0..3 {
            let error = send(&smtp, "ok").await.unwrap_err();
            assert!(matches!(error, SendError::Server { .. }), "{error:?}");
        }
    }
    let asked = sink.dialogues();
    assert_eq!(asked, 5, "the sixth letter was not offered");
    let error = send(&smtp, "ok").await.unwrap_err().to_string();
    assert!(error.contains("paused") && error.contains("not now"), "{error}");
    assert_eq!(sink.dialogues(), asked);
}

#[tokio::test]
async fn connections_are_shared_and_never_more_than_allowed() {
    let sink = SmtpSink::start().unwrap();
    sink.answer_slowly(Duration::from_millis(2));
    let options = SmtpOptions {
        connections: 3,
        ..SmtpOptions::default()
    };
    let smtp = through(&[&sink], &options);
    let letters = (0..60).map(|n| {
        let smtp = smtp.clone();
        async move { send(&smtp, &format!("ok-{n}")).await.unwrap() }
    });
    futures_util::future::join_all(letters).await;
    assert_eq!(
        (sink.received().len(), sink.most_at_once(), sink.dialogues()),
        (60, 3, 3)
    );
}

#[tokio::test]
async fn a_connection_has_its_day_on_either_side() {
    let sink = SmtpSink::start().unwrap();
    let smtp = through(&[&sink], &SmtpOptions::default());
    for n in 0..201 {
        send(&smtp, &format!("ok-{n}")).await.unwrap();
    }
    assert_eq!(sink.dialogues(), 3, "recycled after 100 letters");

    let sink = SmtpSink::start().unwrap();
    sink.letters_per_connection(7);
    let smtp = through(&[&sink], &SmtpOptions::default());
    for n in 0..30 {
        send(&smtp, &format!("ok-{n}")).await.unwrap();
    }
    assert_eq!(
        (sink.received().len(), sink.dialogues()),
        (30, 5),
        "no letter pays for it"
    );
}

#[tokio::test]
async fn what_is_no_answer_ends_the_connection_and_not_the_letter_for_good() {
    for pipelining in [true, false] {
        let sink = SmtpSink::start().unwrap();
        sink.offer_pipelining(pipelining);
        let smtp = through(&[&sink], &SmtpOptions::default());
        for (nth, to) in ["garbage", "halfline", "drop", "hang"].into_iter().enumerate() {
            let error = send(&smtp, to).await.unwrap_err();
            let broke = matches!(
                error,
                SendError::Deferred {
                    phase: Phase::RcptTo,
                    code: 0,
                    ..
                }
            );
            assert!(broke, "{to}: {error:?}");
            assert_eq!(sink.dialogues(), nth + 1, "never used again");
        }
        assert!(matches!(
            send(&smtp, "garbageafterdot").await,
            Err(SendError::Unanswered { .. })
        ));
        assert!(matches!(
            send(&smtp, "slowperm").await,
            Err(SendError::Refused {
                phase: Phase::Dot,
                ..
            })
        ));
        send(&smtp, "slow").await.unwrap();
        assert_eq!(sink.dialogues(), 6);
    }
}

#[tokio::test]
async fn who_hangs_up_before_the_dot_has_taken_nothing() {
    let sink = SmtpSink::start().unwrap();
    let smtp = through(&[&sink], &SmtpOptions::default());
    for _ in 0..5 {
        let outcome = smtp
            .deliver(&address("from"), &address("dropindata"), MESSAGE, async || {
                // The ledger notes the dot meanwhile.
                tokio::time::sleep(Duration::from_millis(50)).await;
                true
            })
            .await;
        let error = outcome.unwrap_err();
        assert!(
            matches!(
                error,
                SendError::Deferred {
                    phase: Phase::Data,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn asks_for_what_the_letter_needs_and_the_server_has() {
    let eight_bit = "Subject: s\r\n\r\nПривет\r\n".as_bytes();
    let from = address("from");
    let sink = SmtpSink::start().unwrap();
    sink.offer(&["PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8"]);
    let smtp = through(&[&sink], &SmtpOptions::default());
    smtp.deliver(&from, &address("ok"), MESSAGE, async || true)
        .await
        .unwrap();
    smtp.deliver(&from, &address("ok"), eight_bit, async || true)
        .await
        .unwrap();
    smtp.deliver(&from, &address("анна"), MESSAGE, async || true)
        .await
        .unwrap();
    let parameters: Vec<_> = sink.received().into_iter().map(|mail| mail.parameters).collect();
    assert_eq!(
        parameters,
        [
            format!("SIZE={}", MESSAGE.len()),
            format!("SIZE={} BODY=8BITMIME", eight_bit.len()),
            format!("SIZE={} SMTPUTF8 BODY=8BITMIME", MESSAGE.len()),
        ]
    );
    let big = [MESSAGE, &vec![b'x'; 1_000]].concat();
    let error = smtp
        .deliver(&from, &address("ok"), &big, async || true)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SendError::Refused { code: 0, reply, .. } if reply.contains("SIZE")),
        "{error:?}"
    );

    let bare = SmtpSink::start().unwrap();
    bare.offer(&[]);
    let smtp = through(&[&bare], &SmtpOptions::default());
    for message in [eight_bit, &big] {
        let sent = smtp.deliver(&from, &address("ok"), message, async || true).await;
        assert_eq!(sent.is_ok(), message.is_ascii(), "{sent:?}");
    }
    // A server that has it takes what another can't.
    let smtp = through(&[&bare, &sink], &SmtpOptions::default());
    smtp.deliver(&from, &address("анна"), MESSAGE, async || true)
        .await
        .unwrap();
    assert_eq!(sink.received().len(), 4);
}

#[tokio::test]
async fn logs_in_as_it_is_told() {
    let sink = SmtpSink::start().unwrap();
    let options = SmtpOptions::default();
    send(&with_login(&sink, "user:p%40ss", "", &options), "ok")
        .await
        .unwrap();
    send(&with_login(&sink, "user:p%40ss", "&auth=login", &options), "ok")
        .await
        .unwrap();
    let plain = STANDARD.encode("\0user\0p@ss");
    let login = format!("LOGIN {} {}", STANDARD.encode("user"), STANDARD.encode("p@ss"));
    assert_eq!(sink.logins(), [format!("PLAIN {plain}"), login]);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let options = SmtpOptions {
        token_file: Some(file.clone()),
        ..SmtpOptions::default()
    };
    let smtp = with_login(&sink, "me%40x.example", "&auth=xoauth2", &options);
    let error = send(&smtp, "ok").await.unwrap_err();
    assert!(
        matches!(
            error,
            SendError::Server {
                phase: Phase::Auth,
                ..
            }
        ),
        "no file yet: {error:?}"
    );
    for token in ["first-token", "second-token"] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        send(&smtp, "ok").await.unwrap();
        // Read anew at every login: here a connection of its own.
        smtp.close().await;
        let said = STANDARD.encode(format!("user=me@x.example\x01auth=Bearer {token}\x01\x01"));
        assert_eq!(sink.logins().last().unwrap(), &format!("XOAUTH2 {said}"));
    }
    assert!(!format!("{smtp:?}").contains("token"));
}

#[tokio::test]
async fn letters_a_second_to_a_server() {
    let sink = SmtpSink::start().unwrap();
    let options = SmtpOptions {
        rate: 50,
        ..SmtpOptions::default()
    };
    let smtp = through(&[&sink], &options);
    let began = std::time::Instant::now();
    for n in 0..11 {
        send(&smtp, &format!("ok-{n}")).await.unwrap();
    }
    assert!(
        began.elapsed() >= Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn greylisting_passes() {
    let sink = SmtpSink::start().unwrap();
    sink.greylist_for(Duration::from_millis(150));
    let smtp = through(&[&sink], &SmtpOptions::default());
    let first = send(&smtp, "grey").await.unwrap_err();
    assert!(
        matches!(first, SendError::Deferred { code: 450, .. }),
        "{first:?}"
    );
    send(&smtp, "ok").await.unwrap();
    while send(&smtp, "grey").await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn limits_of_one_domain_hold_up_no_other() {
    let sink = SmtpSink::start().unwrap();
    sink.answer_slowly(Duration::from_millis(2));
    let options = SmtpOptions {
        connections: 8,
        domain_connections: 1,
        domain_rate: 100,
        ..SmtpOptions::default()
    };
    let smtp = through(&[&sink], &options);
    let began = std::time::Instant::now();
    let letters = (0..40).map(|n| {
        let smtp = smtp.clone();
        async move {
            let to = format!(
                "ok-{n}@{}.example",
                if n < 20 {
                    "big".to_owned()
                } else {
                    format!("small{n}")
                }
            );
            let (from, to) = (address("from"), to.parse().unwrap());
            smtp.deliver(&from, &to, MESSAGE, async || true).await.unwrap();
        }
    });
    futures_util::future::join_all(letters).await;
    assert!(
        began.elapsed() >= Duration::from_millis(190),
        "{:?}",
        began.elapsed()
    );
    let big: Vec<bool> = sink
        .received()
        .iter()
        .map(|mail| mail.to.ends_with("@big.example"))
        .collect();
    assert!(
        big[..25].iter().filter(|big| !**big).count() >= 18,
        "the others went first: {big:?}"
    );
}
