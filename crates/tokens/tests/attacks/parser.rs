//! Nothing that can be thrown at the parser makes it panic or believe.

use gatepost_tokens::testing::tokens;
use gatepost_tokens::{Access, NewToken, Refused};
use proptest::prelude::*;

use crate::forge::{encode, key_of, part, sign};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused(text in "\\PC{0,300}") {
        let (tokens, _) = tokens();
        prop_assert!(tokens.check::<Access>(&text).is_err());
        prop_assert!(tokens.check_any(&text).is_err());
        let _ = tokens.inspect(&text);
    }

    #[test]
    fn any_three_parts_are_refused(header in prop::collection::vec(any::<u8>(), 0..80), payload in prop::collection::vec(any::<u8>(), 0..80), signature in prop::collection::vec(any::<u8>(), 32)) {
        let (tokens, _) = tokens();
        let good = tokens.create::<Access>("u").unwrap();
        let ours = good.split('.').next().unwrap();
        for header in [encode(header), ours.to_owned()] {
            let raw = format!("{header}.{}.{}", encode(&payload), encode(&signature));
            prop_assert_eq!(tokens.check::<Access>(&raw).unwrap_err(), Refused::Malformed);
        }
    }

    #[test]
    fn any_payload_signed_by_us_is_read_or_refused(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let (tokens, _) = tokens();
        let good = tokens.create::<Access>("u").unwrap();
        let raw = sign(&key_of("access"), &part(&good, 0), &String::from_utf8_lossy(&payload));
        prop_assert!(tokens.check::<Access>(&raw).is_err());
    }

    #[test]
    fn any_subject_comes_back_whole(subject in "[^\\p{Cc}]{1,60}", rotation in any::<i64>(), generation in any::<i64>()) {
        let (tokens, _) = tokens();
        let new = NewToken::new(subject.as_str()).session("sid", rotation).generation(generation);
        let token = tokens.check::<Access>(&tokens.mint::<Access>(&new).unwrap().raw).unwrap();
        prop_assert_eq!(token.user_id(), subject);
        prop_assert_eq!(token.session.as_ref().unwrap().rotation, rotation);
        prop_assert_eq!(token.generation, Some(generation));
    }
}
