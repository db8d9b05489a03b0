//! What may be forgotten: rate limits.
