//! Events: what happens here, told to other programs. Each is written in the transaction of what it tells.
//!
//! They say ids and plain words. The address of a user stands only where it is the point: in `user.activated`, when
//! its owner has confirmed it, and in the `user.updated` that tells of another one. Whoever needs
//! more asks for it, with a key that may.

mod exchange;
mod relays;
mod told;
pub mod user;
mod webhook;

pub use self::relays::{Line, all as relays};
pub use self::told::session_ended;

/// The topic exchange on RabbitMQ that events are published to, by their type.
pub const EXCHANGE: &str = "gatepost.events";

/// Every type that there is.
pub const TYPES: [&str; 10] = [
    "user.registered",
    "user.activated",
    "user.updated",
    "user.deactivated",
    "user.deleted",
    "user.password_changed",
    "session.ended",
    "mail.sent",
    "mail.failed",
    "mail.bounced",
];
