-- Times are milliseconds since 1970. Records are JSON texts (src/truth/record.rs), hashes and ids lower-case hex.

-- Where the newest revision stands. Locking this row is what makes numbers gapless and in the order of commits.
CREATE TABLE head (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL,
    revision INTEGER NOT NULL,
    hash TEXT NOT NULL,
    committed_at_ms INTEGER NOT NULL
) STRICT;

-- Every revision, for ever. The hash covers its row, its changes and the hash before.
CREATE TABLE revisions (
    revision INTEGER PRIMARY KEY,
    committed_at_ms INTEGER NOT NULL,
    effective_at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT,
    idempotency_key TEXT,
    hash TEXT NOT NULL
) STRICT;

-- What each did, subject by subject, in its order.
CREATE TABLE changes (
    revision INTEGER NOT NULL,
    place INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    action TEXT NOT NULL,
    back_to INTEGER,
    record_before TEXT,
    record_after TEXT,
    PRIMARY KEY (revision, place)
) STRICT;

CREATE INDEX changes_of_a_subject ON changes (kind, subject, revision);

-- How each subject stands: the last `record_after` of it, for a quick start.
CREATE TABLE subjects (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT;

-- Definitions and id lists, once each by their SHA-256, in parts of at most 1 MiB.
CREATE TABLE texts (
    id TEXT NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (id, part)
) STRICT;

-- What an idempotency key stands for: the hash of the request, and the revision it made.
CREATE TABLE idempotency (
    idempotency_key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;

-- Credentials, as the SHA-256 of each. `flags` is a JSON list; NULL is all of them.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    flags TEXT,
    hash TEXT NOT NULL UNIQUE,
    created_at_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER
) STRICT;

-- How far a reader of the revisions has come.
CREATE TABLE cursors (
    reader TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT;
