//! What the broker's errors mean.

use std::sync::Arc;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

use crate::Error;

/// No connection, for a reason of our own.
pub(super) fn unreachable(why: impl Into<String>) -> Error {
    Error::Unreachable {
        why: why.into(),
        source: None,
    }
}

/// Whether to come again, or to do something about it.
pub(super) fn classify(error: lapin::Error) -> Error {
    let why = text(&error);
    let refused = match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            // 320: an operator closes connections, 541: an error of the broker's own. Both pass.
            AMQPErrorKind::Hard(_) => !matches!(error.get_id(), 320 | 541),
            AMQPErrorKind::Soft(soft) => !matches!(soft, AMQPSoftError::RESOURCELOCKED),
        },
        ErrorKind::SerialisationError(_) | ErrorKind::InvalidProtocolVersion(_) => true,
        _ => false,
    };
    let source: Option<Arc<dyn std::error::Error + Send + Sync>> = Some(Arc::new(error));
    if refused {
        Error::Refused { why, source }
    } else {
        Error::Unreachable { why, source }
    }
}

/// The broker's own words, or lapin's.
pub(super) fn text(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().as_str().to_owned(),
        _ => error.to_string(),
    }
}

/// Which soft error closed a channel, if one did.
pub(super) fn soft(error: &lapin::Error) -> Option<AMQPSoftError> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft.clone()),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

/// Whether there is nothing of that name.
pub(super) fn is_not_found(error: &lapin::Error) -> bool {
    soft(error) == Some(AMQPSoftError::NOTFOUND)
}
