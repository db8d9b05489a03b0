//! gatepost-messaging
