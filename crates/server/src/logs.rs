//! What the program says of itself, to a person or to a machine.
