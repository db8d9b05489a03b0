//! The life of an account: register or be invited, activate, resend, forgot, reset, another address.
//!
//! Whatever is asked for an address that nobody has proved to own (register, resend, forgot) becomes a
//! sealed job before anybody looks whether the address is known; the worker turns it into
//! nothing or into a [letter](letters).

pub mod accept_invitation;
pub mod activate;
pub mod confirm_email;
pub mod email;
pub mod export;
pub mod forgot;
mod hash_memory;
pub mod hasher;
pub mod import;
pub mod invite;
pub(crate) mod jobs;
pub mod letters;
pub(crate) mod links;
pub mod me;
mod nobody;
pub mod password;
pub mod profile;
pub mod register;
pub mod resend;
pub mod reset;
pub mod stored_hash;
pub mod user;
pub mod users;
pub(crate) mod work;

pub use self::email::Email;
pub use self::password::Password;
pub use self::user::User;
