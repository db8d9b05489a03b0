-- A digest of what else the other program said of an account when it was last read (address, state, language, profile),
-- so that a later import sees which side changed it. NULL: from an import before this column.
ALTER TABLE {imported_users} ADD COLUMN row_digest text;
