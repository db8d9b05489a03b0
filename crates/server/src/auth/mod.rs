//! Sessions of a person: log in, refresh, log out.
