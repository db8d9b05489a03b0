-- What POST /api/tokens/verify answered under an Idempotency-Key. The digest is of the request; the token
-- itself is not kept.
CREATE TABLE {verify_answers} (
    api_key_id BLOB NOT NULL,
    idempotency_key TEXT NOT NULL,
    digest BLOB NOT NULL,
    answer TEXT,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (api_key_id, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX {ix_verify_answers_expires} ON {verify_answers} (expires_at);
