-- What a letter's life is told by: starts and final dots in all, earlier copies that may exist of one that was
-- sent, whether its message lies among the dead letters, which delivery repeats it, when it came back.
ALTER TABLE {deliveries} ADD COLUMN starts bigint NOT NULL DEFAULT 0;
ALTER TABLE {deliveries} ADD COLUMN dots bigint NOT NULL DEFAULT 0;
ALTER TABLE {deliveries} ADD COLUMN twins bigint NOT NULL DEFAULT 0;
ALTER TABLE {deliveries} ADD COLUMN dead bigint NOT NULL DEFAULT 0;
ALTER TABLE {deliveries} ADD COLUMN resent_as uuid;
ALTER TABLE {deliveries} ADD COLUMN bounced_at timestamptz;

-- Who says so (hand, refused, bounced, complaint), until when if that is known, and the account letter that was let
-- through last.
ALTER TABLE {suppressions} ADD COLUMN source text NOT NULL DEFAULT 'hand';
ALTER TABLE {suppressions} ADD COLUMN ends_at timestamptz;
ALTER TABLE {suppressions} ADD COLUMN letter_id uuid;
ALTER TABLE {suppressions} ADD COLUMN letter_at timestamptz;

-- Templates whose letters wait; the empty name stands for all.
CREATE TABLE {mail_pauses} (
    template text PRIMARY KEY,
    actor text NOT NULL,
    reason text,
    paused_at timestamptz NOT NULL
);
