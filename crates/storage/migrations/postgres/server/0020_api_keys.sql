-- Keys of programs that use the service API. A key has 192 random bits, so that a plain hash of it is
-- enough (ASVS 6.5.2); a name may be taken again once its key is revoked.
CREATE TABLE {api_keys} (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    scopes text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX {ix_api_keys_name} ON {api_keys} (name) WHERE revoked_at IS NULL;
