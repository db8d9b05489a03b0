//! Events that are told: webhooks with receivers of every kind.

mod receiver;
mod webhooks;
