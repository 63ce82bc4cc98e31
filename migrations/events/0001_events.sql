-- Times are milliseconds since 1970. Epochs and numbers are random, and used as they are, as signed 64-bit numbers.

-- The database itself: its name, and the number of its newest commit.
CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    name TEXT NOT NULL,
    commits INTEGER NOT NULL,
    format INTEGER NOT NULL,
    min_reader INTEGER NOT NULL
) STRICT;

-- A stream. `number` is what its events are stored under, and never used again; `kept_after` is the position before its oldest event, and
-- `forgotten_after` the one up to which ids are forgotten. `readers` is JSON: a list of targeting keys, or "verified".
CREATE TABLE streams (
    number INTEGER PRIMARY KEY,
    flag TEXT NOT NULL,
    stream TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    head INTEGER NOT NULL,
    kept_after INTEGER NOT NULL,
    forgotten_after INTEGER NOT NULL,
    oldest_at_ms INTEGER,
    changed_at_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    readers TEXT NOT NULL,
    UNIQUE (flag, stream)
) STRICT;

-- What retention looks for: the oldest events, and the streams with the most.
CREATE INDEX streams_by_age ON streams (flag, oldest_at_ms) WHERE oldest_at_ms IS NOT NULL;
CREATE INDEX streams_by_count ON streams (flag, (head - kept_after));
CREATE INDEX streams_over ON streams (flag, changed_at_ms) WHERE ended = 1 AND oldest_at_ms IS NULL;
CREATE INDEX streams_with_old_ids ON streams (number) WHERE forgotten_after < kept_after;

-- Events in the order of their streams. `data` is NULL once the event is removed and its id is still remembered.
CREATE TABLE events (
    number INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    data TEXT,
    PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX events_by_id ON events (number, id);

-- Streams that were deleted, and whose events are cleared away bit by bit.
CREATE TABLE doomed (
    number INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT;

-- The retention of each flag in force, and a smaller value that waits, since when.
CREATE TABLE retentions (
    flag TEXT PRIMARY KEY,
    retain_ms INTEGER NOT NULL,
    keep INTEGER NOT NULL,
    retain_lowered_to_ms INTEGER,
    retain_lowered_at_ms INTEGER,
    keep_lowered_to INTEGER,
    keep_lowered_at_ms INTEGER
) STRICT;
