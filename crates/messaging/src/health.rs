//! How a broker stands.

/// How a broker stands. The embedded one is part of the database and always connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerHealth {
    /// Whether there is a connection.
    pub connected: bool,
    /// Why the broker takes no messages at the moment (an alarm about memory or disk), if so.
    pub blocked: Option<String>,
    /// Why the last attempt to connect failed, while there is no connection. Holds no credentials.
    pub error: Option<String>,
}
