//! Sessions of a person: log in, refresh, log out.

pub mod arrival;
pub mod device;
pub mod granted;
pub mod login;
pub mod logout;
pub mod logout_everywhere;
pub mod refresh;
pub mod refresh_cookie;
pub mod sessions;
pub(crate) mod trail;
pub mod verify;
