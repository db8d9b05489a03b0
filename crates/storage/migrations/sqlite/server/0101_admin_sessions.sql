-- Who is logged into the console. Of the cookie only the hash is here; a session dies with the password it
-- was opened with.
CREATE TABLE {admin_sessions} (
    cookie_hash BLOB PRIMARY KEY,
    admin_id BLOB NOT NULL REFERENCES {admins} (id) ON DELETE CASCADE,
    password_digest BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX {ix_admin_sessions_expires} ON {admin_sessions} (expires_at);
