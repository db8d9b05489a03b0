//! What the program is told, from defaults to the environment.
