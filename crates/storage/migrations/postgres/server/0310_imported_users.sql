-- Whom another program called how, and what its password string was when it was last read. A row outlives the account,
-- so that whoever was deleted here does not come back with the next import.
CREATE TABLE {imported_users} (
    source_id text NOT NULL PRIMARY KEY,
    user_id uuid UNIQUE REFERENCES {users} (id) ON DELETE SET NULL,
    password_digest text NOT NULL,
    imported_at timestamptz NOT NULL
);
