-- Messages that were started twice or more without an outcome: looked for often, and nearly always none.
-- Without an index of their own, each look would pass by everything that is ready.
CREATE INDEX {ix_outbox_suspects} ON {outbox} (queue, visible_at) WHERE starts >= 2;
