-- Entries, in the order in which they were written; times are in microseconds since 1970.
CREATE TABLE IF NOT EXISTS %entries% (
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS %until% ON %entries% (until) WHERE until < 9223372036854775807;
-- Who computes what.
CREATE TABLE IF NOT EXISTS %leases% (
    name BLOB PRIMARY KEY,
    token INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
-- The counter of invalidations of each namespace.
CREATE TABLE IF NOT EXISTS %shards% (
    space BLOB PRIMARY KEY,
    epoch INTEGER NOT NULL,
    number INTEGER NOT NULL
) WITHOUT ROWID;
-- What the last invalidation of each tag left.
CREATE TABLE IF NOT EXISTS %markers% (
    space BLOB NOT NULL,
    tag BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    until INTEGER NOT NULL,
    suspended_until INTEGER,
    suspended_by INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (space, tag)
) WITHOUT ROWID;
-- What others are told of, the latest thousands.
CREATE TABLE IF NOT EXISTS %told% (
    id INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name BLOB,
    tag BLOB,
    epoch INTEGER,
    number INTEGER
);
-- During which start of the machine this was written, and whether all of it is on the medium.
CREATE TABLE IF NOT EXISTS %state% (
    boot INTEGER NOT NULL,
    is_hard INTEGER NOT NULL
);
