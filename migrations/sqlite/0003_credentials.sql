-- Credentials are subjects of revisions from here on (kind `credential`, by the token's id). What stands in `tokens` is brought over at the
-- next start, as revisions; the place `tokens` says that this is still to be done, and goes with it. After that nothing reads that table.
INSERT INTO cursors SELECT 'tokens', 0 WHERE EXISTS (SELECT 1 FROM tokens);

-- The credential a revision was made with; NULL for what the service does by itself, and for what came before.
ALTER TABLE revisions ADD COLUMN actor_id TEXT;
