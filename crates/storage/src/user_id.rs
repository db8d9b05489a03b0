//! What a user is called: by our own table a UUID, by another program's table perhaps a number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The id of a user, as tokens carry it in `sub`. To the outside an opaque text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserId {
    /// Of our own table, or of another program's whose key is a UUID.
    Uuid(Uuid),
    /// Of another program's table whose key is a number.
    Integer(i64),
}

/// A text that is the id of no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a UUID nor a whole number")]
pub struct NotAUserId;

impl UserId {
    /// The UUID, if it is one. A number is the id of nobody in our own table.
    pub fn uuid(self) -> Option<Uuid> {
        match self {
            UserId::Uuid(id) => Some(id),
            UserId::Integer(_) => None,
        }
    }
}

impl From<Uuid> for UserId {
    fn from(id: Uuid) -> Self {
        UserId::Uuid(id)
    }
}

impl From<i64> for UserId {
    fn from(id: i64) -> Self {
        UserId::Integer(id)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserId::Uuid(id) => id.fmt(f),
            UserId::Integer(id) => id.fmt(f),
        }
    }
}

impl FromStr for UserId {
    type Err = NotAUserId;

    /// Only the one way in which a number is written: `042` and `+42` would be other subjects to whatever
    /// compares texts.
    fn from_str(text: &str) -> Result<Self, NotAUserId> {
        if let Ok(number) = text.parse::<i64>()
            && number.to_string() == text
        {
            return Ok(UserId::Integer(number));
        }
        text.parse().map(UserId::Uuid).map_err(|_| NotAUserId)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_in_one_way() {
        for text in ["42", "0", "-7", "9223372036854775807"] {
            assert_eq!(text.parse::<UserId>().unwrap().to_string(), text);
        }
        let uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(uuid.parse::<UserId>().unwrap().to_string(), uuid);
        for bad in ["", "042", "+42", " 42", "4 2", "9223372036854775808", "ann"] {
            assert_eq!(bad.parse::<UserId>(), Err(NotAUserId), "{bad:?}");
        }
    }
}
