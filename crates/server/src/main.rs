//! The program. Everything is in the library, so that tests run what users run.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatepost::ops::main()
}
