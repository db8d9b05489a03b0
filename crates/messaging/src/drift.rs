//! What stands on a broker otherwise than it was declared.

use std::fmt;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about: `queue email_queue`, `exchange shop`.
    pub entity: String,
    /// Which of its properties: `durable`, `type`, `x-message-ttl`.
    pub what: String,
    /// What was asked for; `None`: nothing of the kind.
    pub wanted: Option<String>,
    /// What stands; `None`: nothing of the kind.
    pub stands: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entity,
            what,
            wanted,
            stands,
        } = self;
        write!(f, "{entity}: {what} ")?;
        match stands {
            Some(stands) if stands.is_empty() => f.write_str("is \"\"")?,
            Some(stands) => write!(f, "is {stands}")?,
            None => f.write_str("is not set")?,
        }
        match wanted {
            Some(wanted) if wanted.is_empty() => f.write_str(", Gatepost would have \"\""),
            Some(wanted) => write!(f, ", Gatepost would have {wanted}"),
            None => f.write_str(", Gatepost would not set it"),
        }
    }
}

/// What stands otherwise than it was declared, and is used as it is: nothing is ever changed or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "what stands otherwise is used as it is; somebody should be told"]
pub struct Drift {
    /// Each difference. Empty: everything stands as declared.
    pub differences: Vec<Difference>,
}

impl Drift {
    /// Whether everything stands as declared.
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }
}

/// A line for each difference.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, difference) in self.differences.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            difference.fmt(f)?;
        }
        Ok(())
    }
}
