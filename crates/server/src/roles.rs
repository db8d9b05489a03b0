//! What a process does: answer requests, run workers, move the outbox.
