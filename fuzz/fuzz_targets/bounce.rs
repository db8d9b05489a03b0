//! Reports of letters that came back: whatever is sent to us, it is read to its end, and what is found is of use.
#![no_main]

use gatepost_mail::bounce::{Report, Status};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let report = Report::parse(bytes);
    let again = Report::parse(bytes);
    assert_eq!(report, again, "the same report says the same");
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Status::find(text);
    }
});
