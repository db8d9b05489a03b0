//! What every test starts with.

use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use gatepost_bench::outside::{Client, Instance, Setup, Wire};

/// The executable that was built with this test, or another one that `GATEPOST_BIN` names.
pub(crate) fn executable() -> PathBuf {
    std::env::var_os("GATEPOST_BIN").map_or_else(|| env!("CARGO_BIN_EXE_gatepost").into(), PathBuf::from)
}

/// On SQLite.
pub(crate) fn sqlite() -> Setup {
    Setup::new(executable())
}

/// The same on PostgreSQL, in a schema of its own.
#[track_caller]
pub(crate) fn postgres() -> Setup {
    sqlite().postgres(&postgres_url())
}

/// The same over a wire that can be cut.
#[track_caller]
pub(crate) fn postgres_over_a_wire() -> (Setup, Wire) {
    let url = postgres_url();
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (address, database) = rest.split_once('/').expect("a URL with a database");
    let (user, address) = address.rsplit_once('@').unwrap_or(("", address));
    let wire = Wire::to(address);
    let at = if user.is_empty() { "" } else { "@" };
    let url = format!("{scheme}://{user}{at}127.0.0.1:{}/{database}", wire.port());
    (sqlite().postgres(&url), wire)
}

/// The RabbitMQ that tests share; each uses queues of its own, and none stops it.
#[track_caller]
pub(crate) fn amqp_url() -> String {
    std::env::var("GATEPOST_TEST_AMQP_URL")
        .expect("GATEPOST_TEST_AMQP_URL names the RabbitMQ to test on; ./scripts/test starts one")
}

/// The PostgreSQL that tests share.
#[track_caller]
pub(crate) fn postgres_url() -> String {
    std::env::var("GATEPOST_TEST_POSTGRES_URL")
        .expect("GATEPOST_TEST_POSTGRES_URL names the PostgreSQL to test on; ./scripts/test starts one")
}

/// A number from the environment.
pub(crate) fn from_environment(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// A client that may read the capture box.
#[track_caller]
pub(crate) fn reader(instance: &Instance) -> Client {
    instance.client().with_bearer(&instance.key(&["mail:read"]))
}

/// Calls `ask` from `callers` threads at the same moment, each with a connection that is already open;
/// instances take turns.
pub(crate) fn at_once<T: Send>(callers: usize, at: &[Instance], ask: impl Fn(&Client) -> T + Sync) -> Vec<T> {
    let line = Barrier::new(callers);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..callers)
            .map(|nth| {
                let client = at[nth % at.len()].client();
                let (ask, line) = (&ask, &line);
                scope.spawn(move || {
                    client.get("/healthz").expect(200);
                    line.wait();
                    ask(&client)
                })
            })
            .collect();
        calls
            .into_iter()
            .map(|call| call.join().expect("the caller gets an answer"))
            .collect()
    })
}
