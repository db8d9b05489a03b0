//! Every endpoint, one line each.
