//! The signature is checked by code that shares nothing with what made it but ring.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use super::*;

const RSA: &[u8] = include_bytes!("../../tests/dkim/rsa.pem");
const RSA_OLD_FORM: &[u8] = include_bytes!("../../tests/dkim/rsa_pkcs1.pem");
const ED25519_KEY: &[u8] = include_bytes!("../../tests/dkim/ed25519.pem");
const MESSAGE: &str = "From: Gatepost <noreply@example.com>\r\nTo: a@example.org\r\nSubject: =?utf-8?q?folded?=\r\n \
    over  two lines\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nX-Note: not signed\r\nMIME-Version: 1.0\r\n\r\n\
    Hello  there \r\n\r\nend\r\n\r\n\r\n";

fn keys() -> Dkim {
    Dkim::default()
        .with_pem("example.com", "rsa1", RSA)
        .unwrap()
        .with_pem("example.com", "ed1", ED25519_KEY)
        .unwrap()
}

/// The tags of a signature.
fn tag(header: &str, name: &str) -> String {
    let flat = header.replace("\r\n", "");
    let mut tags = flat
        .split_once(':')
        .unwrap()
        .1
        .split(';')
        .map(|tag| tag.trim().split_once('=').unwrap());
    let value = tags.find(|(tag, _)| *tag == name).unwrap().1;
    value.split_whitespace().collect()
}

/// Takes the first signature off and checks it as RFC 6376 6.1.3 says; what is left of the message.
fn verify<'a>(message: &'a str, public: &str) -> Result<&'a str, &'static str> {
    // A line that begins with white space belongs to the one before it.
    let lines: Vec<&str> = message.split_inclusive("\r\n").collect();
    let first = 1 + lines[1..]
        .iter()
        .position(|line| !line.starts_with(['\t', ' ']))
        .unwrap();
    let header: String = lines[..first].concat();
    let rest = &message[header.len()..];

    let mut lines_of_body: Vec<String> = Vec::new();
    for line in rest.split_once("\r\n\r\n").unwrap().1.split("\r\n") {
        let mut text = String::new();
        for c in line.replace('\t', " ").chars() {
            if c != ' ' || !text.ends_with(' ') {
                text.push(c);
            }
        }
        lines_of_body.push(text.trim_end().to_owned());
    }
    while lines_of_body.last().is_some_and(String::is_empty) {
        lines_of_body.pop();
    }
    let body: String = lines_of_body
        .iter()
        .flat_map(|line| [line.as_str(), "\r\n"])
        .collect();
    if STANDARD.encode(Sha256::digest(body)) != tag(&header, "bh") {
        return Err("body");
    }

    let head = rest
        .split_once("\r\n\r\n")
        .unwrap()
        .0
        .replace("\r\n ", " ")
        .replace("\r\n\t", " ");
    let mut fields: Vec<&str> = head.split("\r\n").collect();
    let relaxed = |field: &str| {
        let (name, value) = field.split_once(':').unwrap();
        let value: Vec<&str> = value.split_whitespace().collect();
        format!("{}:{}", name.to_lowercase().trim(), value.join(" "))
    };
    let mut input = String::new();
    for name in tag(&header, "h").split(':') {
        let nth = fields
            .iter()
            .rposition(|f| f.split(':').next().unwrap().eq_ignore_ascii_case(name));
        if let Some(nth) = nth {
            input += &(relaxed(fields.remove(nth)) + "\r\n");
        }
    }
    let without = header.rfind("b=").unwrap() + 2;
    input += &relaxed(&header[..without]);

    let record = STANDARD.decode(public.split_once("p=").unwrap().1).unwrap();
    let signature = STANDARD.decode(tag(&header, "b")).unwrap();
    let checked = match tag(&header, "a").as_str() {
        // The PKCS #1 key is the tail of the SubjectPublicKeyInfo, after 24 octets for keys of this size.
        "rsa-sha256" => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &record[24..])
            .verify(input.as_bytes(), &signature),
        "ed25519-sha256" => {
            UnparsedPublicKey::new(&ED25519, &record).verify(&Sha256::digest(input), &signature)
        }
        _ => return Err("algorithm"),
    };
    checked.map_err(|_| "signature").map(|()| rest)
}

fn verify_both(message: &str) -> Result<(), &'static str> {
    let records = keys().records();
    let rest = verify(message, &records[0].1)?;
    verify(rest, &records[1].1).map(drop)
}

#[test]
fn both_signatures_hold() {
    let signed = String::from_utf8(keys().sign(MESSAGE.as_bytes(), 1_700_000_000).unwrap()).unwrap();
    assert!(signed.ends_with(MESSAGE));
    assert!(signed.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com;"));
    assert!(
        signed
            .lines()
            .take_while(|line| !line.is_empty())
            .all(|line| line.len() <= 100)
    );
    verify_both(&signed).unwrap();
    assert_eq!(keys().records()[1].0, "ed1._domainkey.example.com");
}

#[test]
fn changes_that_mean_nothing_are_forgiven_and_others_are_seen() {
    let signed = String::from_utf8(keys().sign(MESSAGE.as_bytes(), 1_700_000_000).unwrap()).unwrap();
    for same in [
        signed.replace("over  two lines", "over two\r\n\tlines  "),
        signed.replace("Hello  there ", "Hello\tthere"),
        signed.replace("end\r\n\r\n\r\n", "end\r\n"),
        signed.replace("X-Note: not signed", "X-Other: added on the way"),
    ] {
        verify_both(&same).unwrap();
    }
    for other in [
        signed.replace("noreply@", "thief@"),
        signed.replace("Hello", "hello"),
        signed.replace("To: a@example.org", "To: b@example.org"),
        // Named once more than it is there, so that none can be put in.
        signed.replace("X-Note:", "Cc: all@example.org\r\nX-Note:"),
        signed.replace("X-Note:", "Subject: another\r\nX-Note:"),
        signed.replace("t=1700000000", "t=1700000001"),
    ] {
        assert!(verify_both(&other).is_err(), "{other}");
    }
}

#[test]
fn takes_keys_that_are_verified_somewhere_and_no_others() {
    let old = Dkim::default()
        .with_pem("example.com", "s", RSA_OLD_FORM)
        .unwrap();
    assert_eq!(
        old.records()[0].1,
        keys().records()[0].1,
        "the same key in another form"
    );
    assert!(matches!(
        Dkim::default().with_pem("x.example", "s", b"no key"),
        Err(DkimError::Key)
    ));
    for name in ["", "a..b", "a b", "x;d=y", "ä"] {
        assert!(
            matches!(Dkim::default().with_pem(name, "s", RSA), Err(DkimError::Name(_))),
            "{name}"
        );
    }
    assert!(matches!(keys().sign(b"no header", 0), Err(DkimError::Message)));
    assert!(matches!(
        keys().sign(b"Subject: x\r\n\r\n", 0),
        Err(DkimError::Message)
    ));
    assert!(!format!("{:?}", keys()).contains("PRIVATE"));
}
