//! However many callers race, a link is used once and a refresh has one successor.

use gatepost_bench::outside::{Account, Answer, Instance, Pair};
use serde_json::json;

use crate::support::{at_once, from_environment, postgres, reader, sqlite};

const CALLERS: usize = 64;

fn rounds() -> usize {
    from_environment("GATEPOST_OUTSIDE_ROUNDS", 3)
}

#[test]
fn one_of_64_callers_activates_on_sqlite() {
    one_activates(&[sqlite().unlimited().start()]);
}

#[test]
fn one_of_64_callers_activates_on_postgresql_with_two_instances() {
    let setup = postgres().unlimited();
    one_activates(&[setup.start(), setup.start()]);
}

#[test]
fn one_successor_for_64_callers_on_sqlite() {
    one_successor(&[sqlite().unlimited().start()]);
}

#[test]
fn one_successor_for_64_callers_on_postgresql_with_two_instances() {
    let setup = postgres().unlimited();
    one_successor(&[setup.start(), setup.start()]);
}

fn one_activates(instances: &[Instance]) {
    let (client, reader) = (instances[0].client(), reader(&instances[0]));
    for round in 1..=rounds() {
        let account = Account::register(&client);
        let body = json!({ "token": account.letter(&reader, "activate_account").token() });
        let answers = at_once(CALLERS, instances, |client| {
            client.post("/api/users/activate", &body)
        });
        let winners = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(winners, 1, "round {round}: {:?}", statuses(&answers));
        for loser in answers.iter().filter(|answer| answer.status != 200) {
            assert!(
                loser.code().starts_with("token_"),
                "round {round}: {} {}",
                loser.status,
                loser.json()
            );
        }
        account.login(&client);
    }
}

fn one_successor(instances: &[Instance]) {
    let (client, reader) = (instances[0].client(), reader(&instances[0]));
    let account = Account::active(&client, &reader);
    for round in 1..=rounds() {
        let first = account.login(&client);
        let body = json!({ "refresh": first.refresh });
        let answers = at_once(CALLERS, instances, |client| {
            client.post("/api/auth/refresh", &body)
        });
        assert!(
            answers.iter().all(|answer| answer.status == 200),
            "round {round}: {:?}",
            statuses(&answers)
        );
        let second = Pair::of(&answers[0]);
        assert_ne!(second.refresh, first.refresh, "round {round}");
        for answer in &answers {
            assert_eq!(
                Pair::of(answer).refresh,
                second.refresh,
                "round {round}: one and the same successor"
            );
        }

        client
            .with_bearer(&second.access)
            .get("/api/users/me")
            .expect(200);
        let next = client
            .post("/api/auth/refresh", &json!({ "refresh": second.refresh }))
            .expect(200);
        let third = Pair::of(&next);
        client.post("/api/auth/refresh", &body).expect(401);
        client
            .post("/api/auth/refresh", &json!({ "refresh": third.refresh }))
            .expect(401);
        client.with_bearer(&third.access).get("/api/users/me").expect(401);
    }
}

fn statuses(answers: &[Answer]) -> Vec<(u16, String)> {
    let mut all: Vec<_> = answers
        .iter()
        .map(|answer| (answer.status, answer.code()))
        .collect();
    all.sort();
    all
}
