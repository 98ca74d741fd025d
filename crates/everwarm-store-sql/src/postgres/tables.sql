CREATE %unlogged%TABLE IF NOT EXISTS %entries% (
    name bytea PRIMARY KEY,
    bytes bytea,
    version bigint NOT NULL DEFAULT 0,
    until timestamptz NOT NULL DEFAULT 'infinity',
    lease_token bigint,
    lease_until timestamptz,
    lease_waited boolean NOT NULL DEFAULT false
);
ALTER TABLE %entries% ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS %entries_until% ON %entries% (until) WHERE until < 'infinity';
CREATE %unlogged%TABLE IF NOT EXISTS %shards% (
    space bytea PRIMARY KEY,
    epoch bigint NOT NULL,
    number bigint NOT NULL
);
CREATE %unlogged%TABLE IF NOT EXISTS %markers% (
    space bytea NOT NULL,
    tag bytea NOT NULL,
    epoch bigint NOT NULL,
    number bigint NOT NULL,
    until timestamptz NOT NULL,
    suspended_until timestamptz,
    suspended_by bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (space, tag)
);
