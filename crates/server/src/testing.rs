//! The real stack in one process, with a clock that stands still.
