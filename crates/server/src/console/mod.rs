//! The pages of an administrator.
