//! What can be said: a type with a name on the wire.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message: anything that serde can write and read, with a name that stays the same when the type is
/// renamed in code.
///
/// ```
/// use gatepost_messaging::Message;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct OrderPaid {
///     order: i64,
/// }
///
/// impl Message for OrderPaid {
///     const TYPE: &'static str = "order.paid";
/// }
/// ```
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name on the wire, at most 255 bytes: `order.paid`.
    const TYPE: &'static str;
}
