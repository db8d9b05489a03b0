//! Over TLS, and with what is wrong with a URL.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Broker, Error, RabbitSettings, Topology};

use crate::shared::{self, blocking, to, unique};

/// An authority of our own and a certificate for 127.0.0.1 and localhost.
fn certificates(folder: &Path) {
    let openssl = |arguments: &[&str]| {
        let done = Command::new("openssl")
            .args(arguments)
            .current_dir(folder)
            .output();
        let done = done.expect("the tests of TLS need openssl");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ];
    let mut authority = vec!["req", "-x509", "-days", "2", "-subj", "/CN=Test authority"];
    authority.extend(key);
    authority.extend(["-keyout", "ca.key", "-out", "ca.pem"]);
    openssl(&authority);
    let mut request = vec![
        "req",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
    ];
    request.extend(key);
    openssl(&request);
    std::fs::write(
        folder.join("names"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\n",
    )
    .unwrap();
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amqps_trusts_the_file_that_it_is_given_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let lines = format!(
        "listeners.ssl.default = 127.0.0.1:TLS_PORT\nssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n",
        path("ca.pem"),
        path("server.pem"),
        path("server.key")
    );
    let node = blocking(move || RabbitNode::start_with(&lines)).await.unwrap();
    let url = format!("amqps://guest:guest@localhost:{}/%2f", node.tls_port());
    let settings = || {
        RabbitSettings::new(&url)
            .unwrap()
            .connect_timeout(Duration::from_secs(5))
    };

    let refused = Broker::connect_with(settings()).await.unwrap_err();
    assert!(
        refused.to_string().to_lowercase().contains("certificate"),
        "{refused}"
    );

    let broker = Broker::connect_with(settings().ca_file(path("ca.pem")))
        .await
        .unwrap();
    let queue = unique("tls");
    assert!(
        broker
            .declare(&Topology::new().queue(&queue, |q| q.retries(&[])))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(broker.publish_batch(vec![to(&queue, 1)]).await[0].is_ok());
}

#[tokio::test]
async fn what_is_wrong_with_a_url_is_said_without_its_password() {
    let url = shared::url();
    let (host, _) = url
        .split_once('@')
        .map_or(("", url.as_str()), |(_, host)| (host, ""))
        .to_owned();
    let authority = host.split('/').next().unwrap();

    let wrong = Broker::connect(&format!("amqp://nobody:s3cret@{authority}/%2f"))
        .await
        .unwrap_err();
    assert!(
        matches!(wrong, Error::Refused { .. }) && !wrong.is_transient(),
        "{wrong:?}"
    );
    assert!(!format!("{wrong} {wrong:?}").contains("s3cret"), "{wrong:?}");

    let userinfo = url.split("://").nth(1).unwrap().split('@').next().unwrap();
    let lost = Broker::connect(&format!("amqp://{userinfo}@{authority}/no-such-host"))
        .await
        .unwrap_err();
    assert!(matches!(lost, Error::Refused { .. }), "{lost:?}");

    // A port that nobody listens on any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let away = Broker::connect(&format!("amqp://u:s3cret@127.0.0.1:{port}"))
        .await
        .unwrap_err();
    assert!(away.is_transient(), "{away:?}");
    assert!(!format!("{away} {away:?}").contains("s3cret"), "{away:?}");
}
