-- What a letter's life is told by: starts and final dots in all, earlier copies that may exist of one that was
-- sent, whether its message lies among the dead letters, which delivery repeats it, when it came back.
ALTER TABLE {deliveries} ADD COLUMN starts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE {deliveries} ADD COLUMN dots INTEGER NOT NULL DEFAULT 0;
ALTER TABLE {deliveries} ADD COLUMN twins INTEGER NOT NULL DEFAULT 0;
ALTER TABLE {deliveries} ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE {deliveries} ADD COLUMN resent_as BLOB;
ALTER TABLE {deliveries} ADD COLUMN bounced_at INTEGER;

-- Who says so (hand, refused, bounced, complaint), until when if that is known, and the account letter that was let
-- through last.
ALTER TABLE {suppressions} ADD COLUMN source TEXT NOT NULL DEFAULT 'hand';
ALTER TABLE {suppressions} ADD COLUMN ends_at INTEGER;
ALTER TABLE {suppressions} ADD COLUMN letter_id BLOB;
ALTER TABLE {suppressions} ADD COLUMN letter_at INTEGER;

-- Templates whose letters wait; the empty name stands for all.
CREATE TABLE {mail_pauses} (
    template TEXT PRIMARY KEY,
    actor TEXT NOT NULL,
    reason TEXT,
    paused_at INTEGER NOT NULL
) STRICT;
