//! Everything is killed, one after the other, while letters are asked for from all sides: `scripts/chaos` for three
//! quarters of a minute.

use gatepost_bench::chaos::Plan;

use crate::support::{executable, from_environment};

#[test]
fn kills_everywhere_lose_no_letter_and_make_no_third() {
    let seconds = from_environment("GATEPOST_OUTSIDE_CHAOS", 45);
    let report = Plan::new(executable()).seconds(seconds as u64).rate(60).run();
    eprintln!("{report}");
    assert!(report.faults.is_empty(), "{report}");
    assert!(
        report.kills.values().sum::<usize>() >= 3,
        "too few kills: {report}"
    );
}
