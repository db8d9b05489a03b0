//! Kills everything, again and again, while letters are asked for from all sides. `scripts/chaos` builds and
//! starts it.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;

use clap::Parser;
use gatepost_bench::chaos::Plan;
use gatepost_bench::executable;

#[derive(Parser)]
struct Args {
    /// How long
    #[arg(default_value_t = 5)]
    minutes: u64,
    /// Letters a second, from all publishers together
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// The seed that a report names: the same kills again
    #[arg(long)]
    seed: Option<u64>,
    /// Without RabbitMQ
    #[arg(long)]
    embedded: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut plan = Plan::new(executable()).minutes(args.minutes).rate(args.rate);
    if let Some(seed) = args.seed {
        plan = plan.seed(seed);
    }
    if args.embedded {
        plan = plan.embedded();
    }
    let report = plan.run();
    print!("{report}");
    if report.faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
