//! What all endpoints share: problems, extractors, limits, headers.

pub mod bearer;
pub mod client;
pub mod code;
pub mod cors;
pub(crate) mod drain;
pub mod extract;
pub(crate) mod header_timer;
pub mod health;
pub mod json;
pub mod layers;
mod map;
pub mod openapi;
pub mod pages;
pub mod problem;
mod scan;
pub mod token;

pub use self::client::Client;
pub use self::code::Code;
pub use self::extract::{Form, Id, IdempotencyKey, Query, UserIn};
pub use self::json::Json;
pub use self::problem::{Problem, ProblemDocument};
