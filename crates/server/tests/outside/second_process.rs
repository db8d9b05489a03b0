//! The command line on the database of a server that is busy writing. How long it takes is measured by
//! `bench/src/bin/outside.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gatepost_bench::outside::unknown_address;
use serde_json::json;

use crate::support::sqlite;

#[test]
fn the_command_line_revokes_while_the_server_writes() {
    let gatepost = sqlite().unlimited().start();
    let client = gatepost.client();
    let key = client.with_bearer(&gatepost.key(&["tokens:create:activate", "tokens:verify"]));
    let mint = || {
        key.post("/api/tokens", &json!({ "user_id": "u", "purpose": "activate" }))
            .expect(201)
            .field("token")
    };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = gatepost.client();
                while !stop.load(Ordering::Relaxed) {
                    client
                        .post(
                            "/api/users/password/forgot",
                            &json!({ "email": unknown_address() }),
                        )
                        .expect(202);
                }
            });
        }
        for _ in 0..10 {
            let token = mint();
            let output = gatepost.cli(&["token", "revoke", &token, "--yes"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if !output.status.success() {
                stop.store(true, Ordering::Relaxed);
                panic!("{}: {said}", output.status);
            }
            let verified = key.post(
                "/api/tokens/verify",
                &json!({ "token": token, "purpose": "activate" }),
            );
            if verified.code() != "token_revoked" {
                stop.store(true, Ordering::Relaxed);
                panic!("{} {}", verified.status, verified.json());
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
