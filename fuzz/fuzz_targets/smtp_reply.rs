//! What a mail server answers: read to its end without a panic, and never without an end.
#![no_main]

use gatepost_mail::transport::smtp::read_reply;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok((code, text)) = read_reply(&mut rest) {
        assert!((200..600).contains(&code));
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
    }
});
