//! Addresses and senders: what passes is safe in a command and in a header, and stays what it is.
#![no_main]

use gatepost_mail::{EmailAddress, Sender};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(address) = text.parse::<EmailAddress>() {
        let written = address.as_str();
        assert!(!written.contains(|c: char| c.is_control() || c.is_whitespace() || "<>".contains(c)));
        assert!(written.len() <= 254);
        assert_eq!(written.parse::<EmailAddress>().as_ref(), Ok(&address));
        // Folding may lengthen a name beyond what an address may have; what is an address stays the same one.
        if let Ok(canonical) = address.canonical().parse::<EmailAddress>() {
            assert_eq!(canonical.canonical(), address.canonical());
        }
        assert!(!address.masked().contains(|c: char| c.is_control() || c.is_whitespace()));
    }
    if let Ok(sender) = text.parse::<Sender>() {
        let written = sender.to_string();
        assert!(!written.contains(['\r', '\n', '\0']));
        assert_eq!(written.parse::<Sender>().as_ref(), Ok(&sender), "{written:?}");
    }
});
