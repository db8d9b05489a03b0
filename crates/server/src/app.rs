//! Everything wired, top to bottom, in one function.
