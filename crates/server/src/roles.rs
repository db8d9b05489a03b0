//! What a process does: answer requests, run workers, move the outbox to a broker.

use std::fmt;
use std::str::FromStr;

/// The roles of a process (`serve --role api,worker`). Every role listens, if only to say how it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Answers requests.
    pub api: bool,
    /// Turns jobs into letters and sends letters; sweeps what has expired.
    pub worker: bool,
    /// Moves outbox rows to a broker that is not embedded. With the embedded one there is nothing to move.
    pub dispatcher: bool,
}

impl Roles {
    /// Everything in one process.
    pub const ALL: Self = Self {
        api: true,
        worker: true,
        dispatcher: true,
    };
    /// Nothing yet.
    const NONE: Self = Self {
        api: false,
        worker: false,
        dispatcher: false,
    };
}

impl Default for Roles {
    fn default() -> Self {
        Self::ALL
    }
}

/// A name that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role: use all, or any of api, worker, dispatcher with commas between")]
pub struct UnknownRole(String);

impl FromStr for Roles {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let mut roles = Self::NONE;
        for name in text.split(',') {
            match name.trim() {
                "all" => roles = Self::ALL,
                "api" => roles.api = true,
                "worker" => roles.worker = true,
                "dispatcher" => roles.dispatcher = true,
                other => return Err(UnknownRole(other.to_owned())),
            }
        }
        Ok(roles)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            ("api", self.api),
            ("worker", self.worker),
            ("dispatcher", self.dispatcher),
        ];
        let names: Vec<&str> = names
            .iter()
            .filter(|(_, on)| *on)
            .map(|(name, _)| *name)
            .collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_and_others_refused() {
        assert_eq!("all".parse(), Ok(Roles::ALL));
        let some: Roles = "api, worker".parse().unwrap();
        assert_eq!(some.to_string(), "api,worker");
        assert!(
            "api,sender"
                .parse::<Roles>()
                .unwrap_err()
                .to_string()
                .contains("\"sender\" is no role")
        );
        assert!("".parse::<Roles>().is_err());
    }
}
