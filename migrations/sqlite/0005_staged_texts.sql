-- Texts that are written before the revision that names them, each step a transaction of its own. They stand in `texts` like all others, and
-- here until a revision names them: one that never is, is removed when the next texts are staged.
CREATE TABLE IF NOT EXISTS staged_texts (id TEXT PRIMARY KEY) STRICT;

-- Whichever build commits a revision that names such a text: from then on it belongs to the history, and nothing removes it.
CREATE TRIGGER IF NOT EXISTS named_texts_are_not_staged AFTER INSERT ON changes
WHEN EXISTS (SELECT 1 FROM staged_texts) AND json_valid(NEW.record_after)
BEGIN
    DELETE FROM staged_texts WHERE id IN (SELECT atom FROM json_tree(NEW.record_after) WHERE type = 'text');
END;

-- A build before this one reads and writes all there is, as before; it takes a staged text for one that was added.
UPDATE formats SET format = 3;
