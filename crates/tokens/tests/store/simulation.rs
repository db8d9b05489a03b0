//! Thirty days in the life of a session: with a thief, and with a bad connection.

use std::time::Duration;

use gatepost_tokens::{Grant, Rotation};

use crate::databases::{Database, Instance, Instances as _, on_both};

on_both!(
    a_thief_is_found_out_within_two_refreshes,
    a_client_that_loses_every_tenth_answer_is_never_logged_out
);

const THIRTY_DAYS: u64 = 30 * 86_400;

/// Numbers that are the same on every run, so that a failure can be seen again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, from: u64, to: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + self.0 % (to - from)
    }
}

/// Somebody who holds a refresh token and uses every access token it gives.
struct Holder {
    refresh: String,
}

impl Holder {
    /// Whether the session is over.
    async fn refreshes(&mut self, at: &Instance) -> bool {
        match at.rotate(&self.refresh).await {
            Rotation::Granted(Grant { access, refresh, .. }) => {
                at.service.check_access(&access).await.unwrap();
                self.refresh = refresh;
                false
            }
            Rotation::Reuse(_) => true,
            Rotation::Refused(refused) => panic!("nobody was told: {refused}"),
        }
    }
}

/// In each of 1,000 lives the victim refreshes every 11 s to 3 h. On some day of thirty somebody copies the token
/// that the victim holds, and from there on both refresh, in any order, more than 10 s apart. As soon as the second
/// of them comes, the session ends.
async fn a_thief_is_found_out_within_two_refreshes(db: Database) {
    let at = db.instance().await;
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut found = 0;
    for life in 0..1000 {
        let mut victim = Holder {
            refresh: at.login(&format!("user-{life}")).await.refresh,
        };
        let began = at.clock.now();
        // The victim alone: few refreshes, spread over up to thirty days, and none idle for a week.
        let theft = dice.roll(0, THIRTY_DAYS);
        while at.clock.now().since(began).as_secs() + 5 * 86_400 < theft {
            at.step(dice.roll(11, 6 * 86_400));
            assert!(
                !victim.refreshes(&at).await,
                "life {life}: nobody stole anything yet"
            );
        }
        let mut thief = Holder {
            refresh: victim.refresh.clone(),
        };
        let mut came = [0, 0];
        loop {
            at.step(dice.roll(11, 10_800));
            let who = usize::try_from(dice.roll(0, 2)).unwrap();
            let ended = if who == 0 {
                thief.refreshes(&at).await
            } else {
                victim.refreshes(&at).await
            };
            came[who] += 1;
            if ended {
                // Whoever came second was the first of its kind to come, and that was enough.
                assert_eq!(came[who], 1, "life {life}");
                found += 1;
                break;
            }
            assert!(
                came[0] == 0 || came[1] == 0,
                "life {life}: both came and nobody noticed"
            );
        }
    }
    assert_eq!(found, 1000);
}

async fn a_client_that_loses_every_tenth_answer_is_never_logged_out(db: Database) {
    let at = db.instance().await;
    let mut dice = Dice(0xD1B5_4A32_D192_ED03);
    let mut client = at.login("u").await;
    let (mut asked, mut lost) = (0_u32, 0_u32);
    let began = at.clock.now();
    while at.clock.now().since(began) < Duration::from_secs(THIRTY_DAYS) {
        asked += 1;
        let answer = at.granted(&client.refresh).await;
        if asked.is_multiple_of(10) {
            // The answer never arrives; the client asks again at once, or when it is next looked at.
            lost += 1;
            at.step(dice.roll(0, 2) * dice.roll(1, 86_400));
            continue;
        }
        at.service.check_access(&answer.access).await.unwrap();
        client = answer;
        at.step(dice.roll(600, 10_800));
    }
    assert!(lost > 20, "{lost} of {asked}");
}
