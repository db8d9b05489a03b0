//! Mail as other programs write it: whatever bytes come, it is a request or a refusal, and what was read as the Python
//! services' JSON is the same when it is written and read again.
#![no_main]

use gatepost_mail::wire::MailRequest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = MailRequest::parse(body);
    let Ok(request) = MailRequest::parse_wire(body) else {
        return;
    };
    let wire = request.to_wire().expect("what came from the Python JSON goes back into it");
    let again = MailRequest::parse_wire(wire.to_string().as_bytes()).expect("our own JSON can be read");
    assert_eq!(request, again);
});
