-- The ledger: one row for each recipient of a mail. No content, no whole address.
CREATE TABLE {deliveries} (
    id BLOB PRIMARY KEY,
    message_id BLOB NOT NULL,
    template TEXT NOT NULL,
    locale TEXT,
    queue TEXT NOT NULL,
    about TEXT,
    recipient TEXT,
    recipient_hash BLOB,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    faults INTEGER NOT NULL DEFAULT 0,
    open_starts INTEGER NOT NULL DEFAULT 0,
    open_dots INTEGER NOT NULL DEFAULT 0,
    lease BLOB,
    lease_until INTEGER,
    next_attempt_at INTEGER,
    expires_at INTEGER,
    reply TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    sent_at INTEGER
) STRICT;
CREATE INDEX {ix_deliveries_message} ON {deliveries} (message_id);
CREATE INDEX {ix_deliveries_about} ON {deliveries} (about, template, id) WHERE about IS NOT NULL;
CREATE INDEX {ix_deliveries_recipient} ON {deliveries} (recipient_hash, id) WHERE recipient_hash IS NOT NULL;
CREATE INDEX {ix_deliveries_state} ON {deliveries} (state, id);
CREATE INDEX {ix_deliveries_updated} ON {deliveries} (updated_at);

-- What happened to each letter, in order.
CREATE TABLE {delivery_events} (
    delivery_id BLOB NOT NULL REFERENCES {deliveries} (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    event TEXT NOT NULL,
    detail TEXT,
    times INTEGER NOT NULL DEFAULT 1,
    at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (delivery_id, seq)
) STRICT;

-- Captured mail. Only what is sealed says who wrote what to whom.
CREATE TABLE {inbox} (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    recipient_hash BLOB NOT NULL,
    sealed BLOB NOT NULL,
    captured_at INTEGER NOT NULL
) STRICT;
CREATE INDEX {ix_inbox_recipient} ON {inbox} (recipient_hash, seq);
CREATE INDEX {ix_inbox_captured} ON {inbox} (captured_at);

-- Addresses that nothing is sent to.
CREATE TABLE {suppressions} (
    recipient_hash BLOB PRIMARY KEY,
    recipient TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Idempotency keys of requests for mail.
CREATE TABLE {mail_keys} (
    scope TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    digest BLOB NOT NULL,
    delivery_id BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key_hash)
) STRICT;
CREATE INDEX {ix_mail_keys_expires} ON {mail_keys} (expires_at);
