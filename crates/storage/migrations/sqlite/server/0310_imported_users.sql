-- Whom another program called how, and what its password string was when it was last read. A row outlives the account,
-- so that whoever was deleted here does not come back with the next import.
CREATE TABLE {imported_users} (
    source_id TEXT NOT NULL PRIMARY KEY,
    user_id BLOB UNIQUE REFERENCES {users} (id) ON DELETE SET NULL,
    password_digest TEXT NOT NULL,
    imported_at INTEGER NOT NULL
) STRICT;
