//! A token of one purpose where another is asked for, over all pairs.

use std::time::Duration;

use gatepost_tokens::testing::tokens;
use gatepost_tokens::{
    Access, Activate, ChangeEmail, ChangePassword, EmailChange, Invite, NewToken, PurposeSpec, Refresh,
    Refused, Socket,
};
use serde_json::Map;

use crate::forge::{key_of, part, sign};

#[test]
fn every_purpose_is_refused_where_another_is_asked_for() {
    let (tokens, _) = tokens();
    let made = [
        tokens.create::<Activate>("u").unwrap(),
        tokens.create::<ChangePassword>("u").unwrap(),
        tokens
            .create_with::<ChangeEmail>("u", EmailChange { change: "c".into() })
            .unwrap(),
        tokens.create::<Invite>("u").unwrap(),
        tokens.create::<Socket>("u").unwrap(),
        tokens.create::<Access>("u").unwrap(),
        tokens.create::<Refresh>("u").unwrap(),
    ];
    let names = [
        "activate",
        "change_password",
        "change_email",
        "invite",
        "socket",
        "access",
        "refresh",
    ];
    let verdicts = |raw: &str| {
        [
            tokens.check::<Activate>(raw).err(),
            tokens.check::<ChangePassword>(raw).err(),
            tokens.check::<ChangeEmail>(raw).err(),
            tokens.check::<Invite>(raw).err(),
            tokens.check::<Socket>(raw).err(),
            tokens.check::<Access>(raw).err(),
            tokens.check::<Refresh>(raw).err(),
        ]
    };
    for (i, raw) in made.iter().enumerate() {
        for (j, verdict) in verdicts(raw).into_iter().enumerate() {
            assert_eq!(
                verdict,
                (i != j).then_some(Refused::WrongPurpose),
                "{} as {}",
                names[i],
                names[j]
            );
        }
        // The payload of one under the header and the key of another.
        for (j, other) in made.iter().enumerate().filter(|(j, _)| *j != i) {
            let signed = sign(&key_of(names[j]), &part(other, 0), &part(raw, 1));
            assert!(
                verdicts(&signed).iter().all(Option::is_some),
                "{} dressed as {}",
                names[i],
                names[j]
            );
            let stolen = sign(&key_of(names[i]), &part(other, 0), &part(raw, 1));
            assert!(
                verdicts(&stolen).iter().all(Option::is_some),
                "{} with {}'s key",
                names[j],
                names[i]
            );
        }
    }
}

#[test]
fn a_purpose_of_configuration_is_kept_apart_like_a_built_in_one() {
    let (tokens, _) = tokens();
    // Names that differ by little, and one that spells another's media type.
    let names = [
        "access2",
        "acces",
        "access-refresh",
        "at.jwt",
        "activate.jwt",
        "socket_",
    ];
    let tokens = names.iter().fold(tokens, |tokens, name| {
        tokens
            .purpose(PurposeSpec::new(*name, Duration::from_mins(1), false).unwrap())
            .unwrap()
    });
    for name in names {
        let raw = tokens
            .mint_named(name, &NewToken::new("u").extra(Map::new()))
            .unwrap()
            .raw;
        assert_eq!(tokens.check_any(&raw).unwrap().purpose.name, name);
        assert_eq!(tokens.check::<Access>(&raw).unwrap_err(), Refused::WrongPurpose);
        assert_eq!(tokens.check::<Activate>(&raw).unwrap_err(), Refused::WrongPurpose);
        assert_eq!(tokens.check::<Socket>(&raw).unwrap_err(), Refused::WrongPurpose);
        // Renamed with its own key: the header fits no key, and the claim no header.
        for other in names.iter().filter(|other| **other != name) {
            let claim = part(&raw, 1).replace(&format!("\"{name}\""), &format!("\"{other}\""));
            let renamed = sign(&key_of(name), &part(&raw, 0), &claim);
            assert_eq!(tokens.check_any(&renamed).unwrap_err(), Refused::WrongPurpose);
            let header = part(&raw, 0).replace(&format!("\"{name}+jwt\""), &format!("\"{other}+jwt\""));
            assert_eq!(
                tokens
                    .check_any(&sign(&key_of(name), &header, &claim))
                    .unwrap_err(),
                Refused::Malformed
            );
        }
    }
    for taken in ["at", "session", "", "Access", "access+jwt", "acc ess", "a\"b"] {
        assert!(
            PurposeSpec::new(taken, Duration::from_mins(1), false).is_err(),
            "{taken}"
        );
    }
}
