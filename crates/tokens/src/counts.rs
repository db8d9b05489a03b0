//! How often tokens were made, checked, used, refreshed and revoked, and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Refused, ServiceError};
use crate::tokens::Tokens;

/// What is done with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Create,
    Check,
    Verify,
    Refresh,
    Revoke,
}

/// The names of [`Op`]s, in their order.
const OPS: [&str; 5] = ["create", "check", "verify", "refresh", "revoke"];

/// What can come of it.
const OUTCOMES: [&str; 9] = [
    "ok",
    "malformed",
    "expired",
    "used",
    "revoked",
    "wrong_purpose",
    "reuse",
    "unavailable",
    "failed",
];

/// Whatever has no name that was known at the start.
const OTHER: &str = "other";

/// One number for each purpose, operation and outcome, of which there are a few hundred and never more: counting is one
/// addition, with no lock and no allocation, since it stands in the way of every check.
#[derive(Debug)]
pub(crate) struct Counts {
    purposes: Vec<String>,
    cells: Vec<AtomicU64>,
}

/// One line of [`TokenService::counts`](crate::TokenService::counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenCount<'a> {
    /// The token's purpose, as far as it was known; `other` for those of purposes that have no name here, and for what
    /// is no token at all.
    pub purpose: &'a str,
    /// `create`, `check` (nothing is used up), `verify` (one-time tokens are used up), `refresh`, `revoke`.
    pub op: &'static str,
    /// `ok`; `malformed`, `expired`, `used`, `revoked`, `wrong_purpose`, `reuse` for refusals (of `revoke`: `ok` if it
    /// was alive, else `revoked`); `unavailable` if nobody could find out, `failed` for other errors.
    pub outcome: &'static str,
    /// How often, since this service was made.
    pub times: u64,
}

impl Counts {
    pub(crate) fn new(tokens: &Tokens) -> Self {
        let mut purposes: Vec<String> = tokens.purposes().map(|spec| spec.name.clone()).collect();
        // The one that is looked for most often is found first.
        purposes.sort_by_key(|name| name != "access");
        purposes.push(OTHER.to_owned());
        let cells = purposes.len() * OPS.len() * OUTCOMES.len();
        Self {
            cells: (0..cells).map(|_| AtomicU64::new(0)).collect(),
            purposes,
        }
    }

    /// Counts what came of `op`, and passes it on.
    pub(crate) fn note<T>(&self, purpose: &str, op: Op, outcome: Result<T, Refused>) -> Result<T, Refused> {
        let which = match &outcome {
            Ok(_) => 0,
            Err(refused) => place(refused),
        };
        self.add(purpose, op, which);
        outcome
    }

    /// The same for what fails otherwise than by a refusal.
    pub(crate) fn note_service<T>(
        &self,
        purpose: &str,
        op: Op,
        outcome: Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let which = match &outcome {
            Ok(_) => 0,
            Err(ServiceError::Storage(_) | ServiceError::Unavailable(_)) => 7,
            Err(ServiceError::Create(_)) => 8,
        };
        self.add(purpose, op, which);
        outcome
    }

    /// A token that was made together with others.
    pub(crate) fn made(&self, purpose: &str) {
        self.add(purpose, Op::Create, 0);
    }

    /// A token was revoked, if it was `alive`.
    pub(crate) fn killed(&self, purpose: &str, alive: bool) {
        self.add(purpose, Op::Revoke, if alive { 0 } else { 4 });
    }

    pub(crate) fn reuse(&self, purpose: &str) {
        self.add(purpose, Op::Refresh, 6);
    }

    fn add(&self, purpose: &str, op: Op, outcome: usize) {
        let last = self.purposes.len() - 1;
        let nth = self.purposes[..last].iter().position(|known| known == purpose);
        let place = (nth.unwrap_or(last) * OPS.len() + op as usize) * OUTCOMES.len() + outcome;
        self.cells[place].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> impl Iterator<Item = TokenCount<'_>> {
        let each = OPS.len() * OUTCOMES.len();
        self.cells.iter().enumerate().filter_map(move |(place, cell)| {
            let times = cell.load(Ordering::Relaxed);
            (times > 0).then(|| TokenCount {
                purpose: &self.purposes[place / each],
                op: OPS[place % each / OUTCOMES.len()],
                outcome: OUTCOMES[place % OUTCOMES.len()],
                times,
            })
        })
    }
}

fn place(refused: &Refused) -> usize {
    match refused {
        Refused::Malformed => 1,
        Refused::Expired => 2,
        Refused::Used => 3,
        Refused::Revoked => 4,
        Refused::WrongPurpose => 5,
        Refused::Unavailable(_) => 7,
    }
}
