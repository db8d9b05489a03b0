//! The sections `exchanges` and `queues`: what there is besides our own.

use std::collections::BTreeMap;

use gatepost_messaging::{ExchangeKind, Match, QueueConfig, Retry, Topology, check_queue_name};

use super::durations;
use super::parsers::one_of;
use super::reader::{Reader, Seen};
use crate::events::EXCHANGE;

/// Ours, and beside them nobody's.
const OURS: &str = "gatepost.";

/// How RabbitMQ is to keep a queue.
#[derive(Clone, Copy)]
enum Kept {
    Quorum,
    Classic,
    Plain,
}

/// One binding, as it is written: `EXCHANGE KEY`, `EXCHANGE`, `EXCHANGE all NAME=VALUE ...`.
enum Way {
    Key(String, String),
    Headers(String, Match, Vec<(String, String)>),
}

pub(crate) fn topology(r: &mut Reader) -> Option<Topology> {
    // The one of ours that is there to be listened to.
    let mut topology = Topology::new().topic(EXCHANGE);
    let mut whole = true;
    let mut kinds = BTreeMap::from([(EXCHANGE.to_owned(), ExchangeKind::Topic)]);
    for name in r.keys_under("exchanges.") {
        let key = format!("exchanges.{name}");
        let known = [
            ("direct", ExchangeKind::Direct),
            ("topic", ExchangeKind::Topic),
            ("fanout", ExchangeKind::Fanout),
            ("headers", ExchangeKind::Headers),
        ];
        let kind = r.parsed(&key, Seen::Whole, |text| one_of(text, &known));
        if name.starts_with(OURS) {
            r.problem(
                &key,
                "is one of ours; choose a name that does not begin with gatepost.",
            );
            whole = false;
        }
        match kind {
            Some(kind) => {
                kinds.insert(name.clone(), kind);
                topology = topology.exchange(name, kind);
            }
            None => whole = false,
        }
    }
    for name in r.names_before("queues.") {
        match queue(r, &name, topology.clone(), &kinds) {
            Some(with) => topology = with,
            None => whole = false,
        }
    }
    if !whole {
        return None;
    }
    if let Err(error) = topology.check() {
        r.problem("exchanges", error.to_string());
        return None;
    }
    Some(topology)
}

fn queue(
    r: &mut Reader,
    name: &str,
    topology: Topology,
    exchanges: &BTreeMap<String, ExchangeKind>,
) -> Option<Topology> {
    let key = |field: &str| format!("queues.{name}.{field}");
    let mut whole = true;
    if name.starts_with(OURS) || check_queue_name(name).is_err() {
        r.problem(
            &key("type"),
            "a queue's name has 1 to 200 bytes, and none of yours begins with gatepost.",
        );
        whole = false;
    }
    let mut config = QueueConfig::default();
    if r.has(&key("type")) {
        let known = [
            ("quorum", Kept::Quorum),
            ("classic", Kept::Classic),
            ("plain", Kept::Plain),
        ];
        match r.parsed(&key("type"), Seen::Whole, |text| one_of(text, &known)) {
            Some(Kept::Quorum) => {}
            Some(Kept::Classic) => config = config.classic(),
            Some(Kept::Plain) => config = config.plain(),
            None => whole = false,
        }
    }
    let mut retry = Retry::default();
    if r.has(&key("retries")) {
        let texts = r.list(&key("retries"), Seen::Whole).unwrap_or_default();
        match texts
            .iter()
            .map(|text| durations::parse(text))
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(delays) if !delays.is_empty() => retry = retry.with_delays(&delays),
            Ok(_) => {
                r.problem(&key("retries"), "is empty; leave it out for the usual ladder");
                whole = false;
            }
            Err(why) => {
                r.problem(&key("retries"), why);
                whole = false;
            }
        }
    }
    if r.has(&key("max_attempts")) {
        match r.number(&key("max_attempts"), 1..=1_000_000) {
            Some(most) => retry = retry.max_attempts(most),
            None => whole = false,
        }
    }
    config = config.retry(retry);
    if r.has(&key("dead_letters")) {
        match r.switch(&key("dead_letters")) {
            Some(true) => config = config.dead_letters(),
            Some(false) => {}
            None => whole = false,
        }
    }
    let mut topology = topology.queue(name, |_| config);
    if r.has(&key("bindings")) {
        for text in r.list(&key("bindings"), Seen::Whole)? {
            match binding(&text, exchanges) {
                Ok(Way::Key(exchange, routing)) => topology = topology.bind(exchange, routing, name),
                Ok(Way::Headers(exchange, how, headers)) => {
                    let headers: Vec<(&str, &str)> =
                        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                    topology = topology.bind_headers(exchange, &headers, how, name);
                }
                Err(why) => {
                    r.problem(&key("bindings"), why);
                    whole = false;
                }
            }
        }
    }
    whole.then_some(topology)
}

fn binding(text: &str, exchanges: &BTreeMap<String, ExchangeKind>) -> Result<Way, String> {
    let mut words = text.split_whitespace();
    let exchange = words.next().unwrap_or_default();
    let Some(kind) = exchanges.get(exchange) else {
        return Err(format!(
            "{text:?} begins with no exchange of [exchanges]; write \"EXCHANGE KEY\""
        ));
    };
    if *kind != ExchangeKind::Headers {
        return key(text, exchange, words, *kind);
    }
    let how = match words.next() {
        Some("all") => Match::All,
        Some("any") => Match::Any,
        _ => {
            return Err(format!(
                "{text:?} is not \"EXCHANGE all NAME=VALUE ...\" (or any), as a headers exchange needs it"
            ));
        }
    };
    let headers: Option<Vec<(String, String)>> = words
        .map(|pair| pair.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())))
        .collect();
    match headers.filter(|headers| !headers.is_empty()) {
        Some(headers) => Ok(Way::Headers(exchange.to_owned(), how, headers)),
        None => Err(format!("{text:?} has no NAME=VALUE after {exchange:?}")),
    }
}

fn key<'t>(
    text: &str,
    exchange: &str,
    mut words: impl Iterator<Item = &'t str>,
    kind: ExchangeKind,
) -> Result<Way, String> {
    let (key, rest) = (words.next(), words.next());
    let wanted = kind != ExchangeKind::Fanout;
    if rest.is_some() || key.is_some() != wanted {
        let form = if wanted { "EXCHANGE KEY" } else { "EXCHANGE" };
        return Err(format!(
            "{text:?} is not {form:?}, as a {} exchange needs it",
            kind.as_str()
        ));
    }
    Ok(Way::Key(exchange.to_owned(), key.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use gatepost_messaging::Headers;

    use crate::config::{Config, Origin};

    fn load(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        std::fs::write(&path, text).unwrap();
        let origin = Origin {
            config_file: Some(path),
            ..Origin::default()
        };
        Config::load(&origin).map_err(|error| error.to_string())
    }

    #[test]
    fn exchanges_queues_and_bindings_are_read_as_they_are_written() {
        let config = load(
            "[exchanges]\nshop = 'topic'\nall = 'fanout'\npaper = 'headers'\n\
             [queues.billing]\nretries = ['5s', '2m']\nmax_attempts = 3\ndead_letters = true\n\
             bindings = ['shop order.*', 'all']\n\
             [queues.\"billing.eu\"]\ntype = 'classic'\nbindings = ['paper all kind=pdf', 'gatepost.events user.*']\n",
        )
        .unwrap();
        let topology = &config.topology;
        assert_eq!(topology.queues().collect::<Vec<_>>(), ["billing", "billing.eu"]);
        let route = |exchange, key, headers: &Headers| topology.route(exchange, key, headers).unwrap();
        assert_eq!(route("shop", "order.paid", &Headers::new()), ["billing"]);
        assert_eq!(route("all", "", &Headers::new()), ["billing"]);
        let pdf = Headers::from([("kind".to_owned(), "pdf".to_owned())]);
        assert_eq!(route("paper", "", &pdf), ["billing.eu"]);
        assert_eq!(
            route("gatepost.events", "user.deleted", &Headers::new()),
            ["billing.eu"]
        );
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        for (text, says) in [
            ("[exchanges]\nshop = 'round'", "exchanges.shop"),
            ("[exchanges]\n'gatepost.x' = 'topic'", "ours"),
            ("[queues.billing]", "[queues.NAME] takes type"),
            ("[queues.billing]\ncolour = 'red'", "[queues.NAME] takes type"),
            ("[queues.billing]\nbindings = ['shop order.*']", "no exchange"),
            (
                "[exchanges]\nshop = 'fanout'\n[queues.b]\nbindings = ['shop key']",
                "fanout exchange",
            ),
            (
                "[exchanges]\nshop = 'headers'\n[queues.b]\nbindings = ['shop key']",
                "headers exchange",
            ),
            ("[queues.b]\nretries = ['soon']", "queues.b.retries"),
            ("[queues.b]\nmax_attempts = 0", "queues.b.max_attempts"),
            ("[queues.'gatepost.mail']\ntype = 'classic'", "none of yours"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
