-- Keys of programs that use the service API. A key has 192 random bits, so that a plain hash of it is
-- enough (ASVS 6.5.2); a name may be taken again once its key is revoked.
CREATE TABLE {api_keys} (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    key_hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX {ix_api_keys_name} ON {api_keys} (name) WHERE revoked_at IS NULL;
