//! What the rows of the ring mean at a time: who signs, who only verifies, and until when. A function of the rows and
//! the clock alone, so that every instance comes to the same answer.

use std::time::Duration;

use gatepost_storage::Timestamp;
use gatepost_storage::signing_keys::SigningKeyRow;

/// Clocks of instances and verifiers that disagree a little must not cut a token off.
const SLACK: Duration = Duration::from_mins(1);
/// How long a key stays listed when it counts no more.
const SHOWN: Duration = Duration::from_hours(30 * 24);

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Known and published; it will sign.
    Announced,
    /// It signs, for one purpose at least.
    Signing,
    /// Another one signs; it verifies what it has signed.
    Verifying,
    /// All that it signed is dead; it counts no more.
    Expired,
    /// It was retired; it counts no more.
    Retired,
}

impl KeyState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Signing => "signing",
            Self::Verifying => "verifying",
            Self::Expired => "expired",
            Self::Retired => "retired",
        }
    }
}

pub(crate) struct Planned<'a> {
    pub(crate) row: &'a SigningKeyRow,
    pub(crate) state: KeyState,
    /// From when on it counts no more; none while it may sign.
    pub(crate) verifies_until: Option<Timestamp>,
    /// Whether it is the newest for one of its purposes: what comes next has to replace it.
    pub(crate) newest: bool,
}

pub(crate) fn plan(rows: &[SigningKeyRow], now: Timestamp) -> Vec<Planned<'_>> {
    rows.iter().map(|row| of(row, rows, now)).collect()
}

fn of<'a>(row: &'a SigningKeyRow, rows: &[SigningKeyRow], now: Timestamp) -> Planned<'a> {
    // When each purpose passed to a newer key; none as soon as one has not.
    let passed: Option<Vec<Timestamp>> = purposes(row)
        .map(|purpose| {
            rows.iter()
                .filter(|other| is_newer(other, row) && purposes(other).any(|name| name == purpose))
                .map(|other| other.signs_from)
                .min()
        })
        .collect();
    let replaced_at = passed.as_ref().and_then(|times| times.iter().max().copied());
    let lives = Duration::from_secs(u64::try_from(row.lives).unwrap_or(0)) + SLACK;
    let verifies_until = row.retired_at.or_else(|| replaced_at.map(|at| at + lives));
    let state = match (row.retired_at, verifies_until) {
        (Some(_), _) => KeyState::Retired,
        (None, Some(until)) if until <= now => KeyState::Expired,
        (None, _) if now < row.signs_from => KeyState::Announced,
        (None, _) if replaced_at.is_some_and(|at| at <= now) => KeyState::Verifying,
        _ => KeyState::Signing,
    };
    Planned {
        row,
        state,
        verifies_until,
        newest: row.retired_at.is_none() && replaced_at.is_none(),
    }
}

/// Whether it takes over from `row`: a key that was retired before it signed takes nothing over.
fn is_newer(other: &SigningKeyRow, row: &SigningKeyRow) -> bool {
    other.sealed.is_some()
        && (other.signs_from, other.number) > (row.signs_from, row.number)
        && other.retired_at.is_none_or(|at| at > other.signs_from)
}

pub(crate) fn purposes(row: &SigningKeyRow) -> impl Iterator<Item = &str> {
    row.purposes.split(' ').filter(|name| !name.is_empty())
}

impl Planned<'_> {
    /// Whether the row can be forgotten. A derived key that was retired stays so for good.
    pub(crate) fn is_forgettable(&self, now: Timestamp) -> bool {
        self.row.sealed.is_some() && self.verifies_until.is_some_and(|until| until + SHOWN <= now)
    }

    pub(crate) fn counts(&self) -> bool {
        !matches!(self.state, KeyState::Expired | KeyState::Retired)
    }
}
