CREATE TABLE {admins} (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL,
    canonical TEXT NOT NULL,
    password_hash TEXT,
    created_at INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;
CREATE UNIQUE INDEX {ix_admins_canonical} ON {admins} (canonical);
CREATE TABLE {admin_links} (
    token_hash BLOB PRIMARY KEY,
    admin_id BLOB REFERENCES {admins} (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT;
