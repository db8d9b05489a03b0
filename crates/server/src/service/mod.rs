//! The API for other programs, by API key.
