//! The SMTP session against a server that misbehaves on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod engine;
mod tls;

use std::time::Duration;

use gatepost_mail::EmailAddress;
use gatepost_mail::testing::SmtpSink;
use gatepost_mail::transport::smtp::{Smtp, SmtpSpec, Timeouts};
use gatepost_mail::transport::{Phase, SendError, Status};

const MESSAGE: &[u8] = b"Message-ID: <1@x>\r\nSubject: s\r\n\r\nHello\r\n.\r\n..two\r\nend\r\n";

fn address(local: &str) -> EmailAddress {
    format!("{local}@example.com").parse().unwrap()
}

/// Waits that a test can sit out.
fn short() -> Timeouts {
    Timeouts::each(Duration::from_millis(300))
}

fn smtp(sink: &SmtpSink) -> Smtp {
    let mut spec: SmtpSpec = sink.url().parse().unwrap();
    spec.timeouts = short();
    Smtp::from_spec(spec, None).unwrap()
}

async fn send(smtp: &Smtp, to: &str) -> Result<String, SendError> {
    let accepted = smtp
        .deliver(&address("from"), &address(to), MESSAGE, async || true)
        .await?;
    Ok(format!("{} {}", accepted.code, accepted.text))
}

#[tokio::test]
async fn delivers_the_very_content_over_a_kept_connection() {
    for pipelining in [true, false] {
        let sink = SmtpSink::start().unwrap();
        sink.offer_pipelining(pipelining);
        let smtp = smtp(&sink);
        for _ in 0..3 {
            assert_eq!(send(&smtp, "ok").await.unwrap(), "250 2.0.0 kept");
        }
        let received = sink.received();
        assert_eq!(received.len(), 3);
        assert_eq!(received[0].data.as_bytes(), MESSAGE);
        assert_eq!(
            (received[0].message_id.as_str(), received[0].to.as_str()),
            ("<1@x>", "ok@example.com")
        );
        assert_eq!(sink.dialogues(), 1);
        smtp.close().await;
    }
}

#[tokio::test]
async fn tells_refused_from_put_off_from_broken_from_unanswered() {
    for pipelining in [true, false] {
        let sink = SmtpSink::start().unwrap();
        sink.offer_pipelining(pipelining);
        let smtp = smtp(&sink);
        let refused = |phase, reply: &str| SendError::Refused {
            phase,
            code: reply[..3].parse().unwrap(),
            status: Status::parse(&reply[4..9]),
            reply: reply.into(),
        };
        let deferred = |phase, detail: &str| SendError::Deferred {
            phase,
            code: detail[..3].parse().unwrap(),
            detail: detail.into(),
        };

        assert_eq!(
            send(&smtp, "perm").await.unwrap_err(),
            refused(Phase::RcptTo, "550 5.1.1 nobody of that name")
        );
        assert_eq!(
            send(&smtp, "policy").await.unwrap_err(),
            refused(Phase::RcptTo, "550 5.7.1 not from you")
        );
        assert_eq!(
            send(&smtp, "dperm").await.unwrap_err(),
            refused(Phase::Dot, "554 5.6.0 not this")
        );
        assert_eq!(
            send(&smtp, "tmp").await.unwrap_err(),
            deferred(Phase::RcptTo, "450 4.2.0 try later")
        );
        assert_eq!(
            send(&smtp, "dtmp").await.unwrap_err(),
            deferred(Phase::Dot, "451 4.3.0 try later")
        );
        assert!(
            sink.dialogues() == 1,
            "a refused letter leaves the connection good"
        );
        assert_eq!(send(&smtp, "ok").await.unwrap(), "250 2.0.0 kept");
        assert_eq!(sink.dialogues(), 1);

        assert!(matches!(
            send(&smtp, "drop").await,
            Err(SendError::Deferred {
                phase: Phase::RcptTo,
                ..
            })
        ));
        assert!(matches!(
            send(&smtp, "hang").await,
            Err(SendError::Deferred {
                phase: Phase::RcptTo,
                ..
            })
        ));
        assert!(matches!(
            send(&smtp, "dropindata").await,
            Err(SendError::Deferred { .. } | SendError::Unanswered { .. })
        ));
        assert!(matches!(
            send(&smtp, "r421").await,
            Err(SendError::Server {
                phase: Phase::RcptTo,
                ..
            })
        ));
        assert!(matches!(
            send(&smtp, "dropafterdot").await,
            Err(SendError::Unanswered { .. })
        ));
        assert!(matches!(
            send(&smtp, "hangafterdot").await,
            Err(SendError::Unanswered { .. })
        ));
        assert_eq!(send(&smtp, "ok").await.unwrap(), "250 2.0.0 kept");
    }
}

#[tokio::test]
async fn a_letter_that_was_given_up_leaves_no_answer_for_the_next() {
    let sink = SmtpSink::start().unwrap();
    let smtp = smtp(&sink);
    send(&smtp, "ok").await.unwrap();
    for _ in 0..5 {
        // Cut in mid-dialogue, on a connection that was being reused.
        let cut = tokio::time::timeout(Duration::from_millis(50), send(&smtp, "slow")).await;
        assert!(cut.is_err());
        assert!(matches!(
            send(&smtp, "dperm").await,
            Err(SendError::Refused {
                phase: Phase::Dot,
                ..
            })
        ));
    }
}

#[tokio::test]
async fn no_empty_letter_goes_to_nobody() {
    let sink = SmtpSink::start().unwrap();
    sink.take_data_for_nobody(true);
    let smtp = smtp(&sink);
    assert!(matches!(
        send(&smtp, "perm").await,
        Err(SendError::Refused {
            phase: Phase::RcptTo,
            ..
        })
    ));
    send(&smtp, "ok").await.unwrap();
    let received = sink.received();
    assert_eq!((received.len(), received[0].data.as_bytes()), (1, MESSAGE));
}

#[tokio::test]
async fn nothing_is_sent_when_the_dot_is_held_back() {
    let sink = SmtpSink::start().unwrap();
    let smtp = smtp(&sink);
    let outcome = smtp
        .deliver(&address("from"), &address("ok"), MESSAGE, async || false)
        .await;
    assert_eq!(outcome.unwrap_err(), SendError::HeldBack);
    send(&smtp, "ok").await.unwrap();
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test]
async fn a_resting_connection_that_the_server_closed_costs_nothing() {
    let sink = SmtpSink::start().unwrap();
    let smtp = smtp(&sink);
    send(&smtp, "ok").await.unwrap();
    sink.set_up(false);
    let down = send(&smtp, "ok").await.unwrap_err();
    assert!(
        matches!(
            down,
            SendError::Server {
                phase: Phase::Connect,
                ..
            }
        ),
        "{down:?}"
    );
    sink.set_up(true);
    while send(&smtp, "ok").await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(sink.received().len(), 2);
}

#[tokio::test]
async fn faults_of_the_server_are_told_from_faults_of_the_letter() {
    let sink = SmtpSink::start().unwrap();
    sink.answer_auth(535, "5.7.8 wrong");
    let mut spec: SmtpSpec = sink
        .url()
        .replace("smtp://", "smtp://user:pass@")
        .parse()
        .unwrap();
    spec.timeouts = short();
    let with_login = Smtp::from_spec(spec, None).unwrap();
    let error = send(&with_login, "ok").await.unwrap_err();
    assert_eq!(
        error,
        SendError::Server {
            phase: Phase::Auth,
            detail: "535 5.7.8 wrong".into()
        }
    );

    let smtp = smtp(&sink);
    sink.answer_mail(Some("550 5.7.1 not you"));
    assert!(matches!(
        send(&smtp, "ok").await,
        Err(SendError::Server {
            phase: Phase::MailFrom,
            ..
        })
    ));
    sink.answer_mail(None);
    send(&smtp, "ok").await.unwrap();

    let error = send(&smtp, "анна").await.unwrap_err();
    assert!(
        matches!(
            error,
            SendError::Refused {
                phase: Phase::MailFrom,
                code: 0,
                ..
            }
        ),
        "no SMTPUTF8 there: {error:?}"
    );
}

#[tokio::test]
async fn tls_is_required_unless_said_otherwise() {
    let sink = SmtpSink::start().unwrap();
    let url = sink.url();
    for mode in ["?tls=required", ""] {
        let smtp = Smtp::connect(&url.replace("?tls=none", mode).replace("127.0.0.1", "localhost")).unwrap();
        let error = send(&smtp, "ok").await.unwrap_err();
        assert!(
            matches!(
                error,
                SendError::Server {
                    phase: Phase::Tls,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    let opportunistic = url
        .replace("none", "opportunistic")
        .replace("127.0.0.1", "localhost");
    send(&Smtp::connect(&opportunistic).unwrap(), "ok").await.unwrap();
    let error = send(
        &Smtp::connect(&opportunistic.replace("smtp://", "smtp://u:p@")).unwrap(),
        "ok",
    )
    .await
    .unwrap_err();
    assert!(
        matches!(
            error,
            SendError::Server {
                phase: Phase::Auth,
                ..
            }
        ),
        "no password in the clear: {error:?}"
    );
    assert!(sink.received().len() == 1);
}
