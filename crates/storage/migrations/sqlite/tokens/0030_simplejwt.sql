-- What djangorestframework-simplejwt keeps in its tables, for who speaks its dialect and shares no database with Django.
-- Not under Django's names: where the schema is called like the database's user, PostgreSQL would look here first, and
-- Django would find these instead of its own.
CREATE TABLE {outstanding_tokens} (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL,
    created_at INTEGER,
    expires_at INTEGER NOT NULL,
    user_id TEXT,
    jti TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX {ix_outstanding_tokens_user} ON {outstanding_tokens} (user_id);
CREATE INDEX {ix_outstanding_tokens_expires_at} ON {outstanding_tokens} (expires_at);
CREATE TABLE {blacklisted_tokens} (
    id INTEGER PRIMARY KEY,
    blacklisted_at INTEGER NOT NULL,
    token_id INTEGER NOT NULL UNIQUE REFERENCES {outstanding_tokens} (id)
) STRICT;
