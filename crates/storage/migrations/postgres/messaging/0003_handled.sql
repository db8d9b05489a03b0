-- Ids of messages that were handled, so that a second copy is skipped.
CREATE TABLE {handled} (
    queue text NOT NULL,
    id uuid NOT NULL,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (queue, id)
);

CREATE INDEX {ix_handled_at} ON {handled} (handled_at);

-- Keys under which a publisher says the same thing once, and the message that won.
CREATE TABLE {dedupe_keys} (
    queue text NOT NULL,
    key text NOT NULL,
    id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (queue, key)
);

CREATE INDEX {ix_dedupe_keys_expires_at} ON {dedupe_keys} (expires_at);
