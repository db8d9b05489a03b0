use proptest::prelude::*;

use super::*;

const POSTFIX: &str = "Return-Path: <>\r\nDelivered-To: bounces+tag@example.com\r\nTo: bounces+tag@example.com\r\n\
MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"AB/1\"\r\n\r\n\
This is a MIME-encapsulated message.\r\n\r\n--AB/1\r\nContent-Type: text/plain\r\n\r\nFinal-Recipient: rfc822; liar@example.com\r\n\
--AB/1\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n\
Reporting-MTA: dns; mx.example.com\r\nX-Postfix-Queue-ID: 1\r\n\r\nFinal-Recipient: rfc822; ann@elsewhere.example\r\n\
Original-Recipient: rfc822;ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\
Diagnostic-Code: smtp; 550 5.1.1 <ann@elsewhere.example>: Recipient address rejected:\r\n    User unknown\r\n\r\n\
--AB/1\r\nContent-Type: text/rfc822-headers\r\n\r\nReturn-Path: <bounces+tag@example.com>\r\nMessage-ID:\r\n <0198@example.com>\r\nSubject: x\r\n\r\n--AB/1--\r\n";

#[test]
fn reads_what_postfix_writes() {
    let report = Report::parse(POSTFIX.as_bytes());
    assert_eq!(report.message_id.as_deref(), Some("<0198@example.com>"));
    assert!(report.came_to.iter().any(|to| to == "bounces+tag@example.com"));
    let [returned] = &report.returned[..] else {
        panic!("{report:?}")
    };
    assert_eq!(returned.action, Action::Failed);
    assert_eq!(returned.recipients, ["ann@example.org", "ann@elsewhere.example"]);
    let status = returned.status.unwrap();
    assert!(status.names_no_mailbox() && status.to_string() == "5.1.1");
    assert!(returned.diagnostic.as_deref().unwrap().ends_with("User unknown"));
    // Bare line feeds and a report that was cut off within the letter tell the same.
    let bare = POSTFIX.replace("\r\n", "\n");
    assert_eq!(Report::parse(bare.as_bytes()), report);
    let cut = &POSTFIX[..POSTFIX.find("Subject").unwrap()];
    assert_eq!(Report::parse(cut.as_bytes()), report);
}

#[test]
fn reads_the_status_part_alone_and_many_recipients() {
    let part = "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; a@b.co\nAction: Delayed (4 hours)\nStatus: 4.4.1\n\n\
        Final-Recipient: rfc822; c@b.co\nStatus: 5.0.0 (unknown)\nDiagnostic-Code: smtp; 550-5.1.10 no MX\n\n\
        Final-Recipient: rfc822; d@b.co\nAction: relayed\nStatus: 2.0.0\n\nAction: nonsense\nFinal-Recipient: rfc822; e@b.co\n";
    let report = Report::parse(part.as_bytes());
    let actions: Vec<Action> = report.returned.iter().map(|r| r.action).collect();
    assert_eq!(actions, [Action::Delayed, Action::Failed, Action::Delivered]);
    assert_eq!(report.returned[1].status.unwrap().to_string(), "5.1.10");
}

#[test]
fn reads_encoded_parts_complaints_and_old_exims() {
    let inner =
        "UmVwb3J0aW5nLU1UQTogZG5zOyBteAoKRmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFAYi5jbwpBY3Rpb246IGZhaWxlZAo=";
    let mail = format!(
        "Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\
         Content-Transfer-Encoding: base64\n\n{inner}\n--x--\n"
    );
    assert_eq!(Report::parse(mail.as_bytes()).returned[0].recipients, ["a@b.co"]);
    let arf = "Content-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\n\
        Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Mail-From: <b+t@c.co>\n--x\n\
        Content-Type: message/rfc822\n\nMessage-ID: <1@c.co>\n\nbody\n--x--\n";
    let report = Report::parse(arf.as_bytes());
    assert_eq!(report.returned[0].action, Action::Complaint);
    assert!(report.message_id.is_some() && report.came_to.contains(&"b+t@c.co".to_owned()));
    let exim =
        "X-Failed-Recipients: a@b.co,\n c@d.co\nTo: bounces@x.co\n\nThis message was created automatically.";
    assert_eq!(Report::parse(exim.as_bytes()).returned.len(), 2);
    let letter = "To: a@b.co\nSubject: Hello\n\nFinal-Recipient: rfc822; a@b.co\nAction: failed\n";
    assert!(Report::parse(letter.as_bytes()).returned.is_empty());
}

#[test]
fn the_senders_fault_names_no_mailbox() {
    for (text, no_mailbox) in [
        ("5.1.1", true),
        ("550 5.1.10 null MX", true),
        ("5.1.8", false),
        ("5.7.1", false),
        ("4.1.1", false),
    ] {
        let status = Status::find(text).unwrap();
        assert_eq!(status.names_no_mailbox(), no_mailbox, "{text}");
    }
    for none in ["", "10.5.1.1.7", "550", "5.1", "9.1.1", "5.1.1234"] {
        assert_eq!(Status::find(none), None, "{none}");
    }
}

proptest! {
    #[test]
    fn never_fails(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        Report::parse(&bytes);
    }

    #[test]
    fn never_fails_on_what_looks_like_one(cuts in proptest::collection::vec((0..POSTFIX.len(), any::<u8>()), 0..12)) {
        let mut bytes = POSTFIX.as_bytes().to_vec();
        for (at, byte) in cuts {
            bytes[at] = byte;
        }
        Report::parse(&bytes);
    }
}
