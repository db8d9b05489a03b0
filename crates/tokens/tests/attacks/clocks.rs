//! Clocks that disagree, are set back, or stand at impossible times.

use gatepost_tokens::testing::{TestClock, keys, tokens};
use gatepost_tokens::{Access, Clock, Refused, Socket, Tokens};

use crate::forge::{part, refused, with_payload};

#[test]
fn a_token_dies_on_its_second_by_whichever_clock_asks() {
    let (maker, clock) = tokens();
    let raw = maker.create::<Access>("u").unwrap();
    let at = |seconds| Tokens::new(keys()).with_clock(TestClock::at(seconds).clock());
    let made = clock.clock().now();
    // No leeway that a thief could use (RFC 7519 4.1.4): the second itself is too late.
    assert!(at(made + 3599).check::<Access>(&raw).is_ok());
    assert_eq!(refused(&at(made + 3600), &raw), Refused::Expired);
    assert_eq!(refused(&at(i64::MAX), &raw), Refused::Expired);
    // A machine that is behind takes what a faster one has just made: `iat` says when, and permits nothing.
    for behind in [1, 2, 60, 600] {
        assert!(
            at(made - behind).check::<Access>(&raw).is_ok(),
            "{behind} s behind"
        );
    }
}

#[test]
fn setting_the_clock_back_makes_no_overlong_token() {
    let (tokens, clock) = tokens();
    clock.step(-86_400);
    let raw = tokens.create::<Socket>("u").unwrap();
    clock.step(180);
    assert_eq!(tokens.check::<Socket>(&raw).unwrap_err(), Refused::Expired);
}

#[test]
fn a_clock_gone_wild_panics_nobody() {
    for seconds in [i64::MIN, -1, 0, i64::MAX - 1, i64::MAX] {
        let tokens = Tokens::new(keys()).with_clock(Clock::new(move || seconds));
        if let Ok(raw) = tokens.create::<Access>("u") {
            let _ = tokens.check::<Access>(&raw);
        }
        let (good, _) = gatepost_tokens::testing::tokens();
        let _ = tokens.check::<Access>(&good.create::<Access>("u").unwrap());
    }
}

#[test]
fn not_before_counts_when_it_is_there() {
    let (tokens, clock) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    let now = clock.clock().now();
    let with = |nbf: i64| {
        with_payload(
            &raw,
            &part(&raw, 1).replacen('{', &format!("{{\"nbf\":{nbf},"), 1),
        )
    };
    assert!(tokens.check::<Access>(&with(now)).is_ok());
    assert!(tokens.check::<Access>(&with(i64::MIN)).is_ok());
    assert_eq!(refused(&tokens, &with(now + 1)), Refused::Malformed);
    assert_eq!(refused(&tokens, &with(i64::MAX)), Refused::Malformed);
}
