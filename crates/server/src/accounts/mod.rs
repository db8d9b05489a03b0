//! The life of an account: register, activate, resend, forgot, reset.

pub mod email;
pub mod hasher;
pub mod password;
pub mod profile;

pub use self::email::Email;
pub use self::password::Password;
