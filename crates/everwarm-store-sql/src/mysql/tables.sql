CREATE TABLE IF NOT EXISTS %entries% (
    name VARBINARY(1024) NOT NULL PRIMARY KEY,
    bytes LONGBLOB,
    version BIGINT NOT NULL DEFAULT 0,
    ends BIGINT NOT NULL DEFAULT 9223372036854775807,
    lease_token BIGINT,
    lease_ends BIGINT,
    KEY ends (ends)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS %shards% (
    space VARBINARY(1024) NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS %markers% (
    space VARBINARY(1024) NOT NULL,
    tag BINARY(16) NOT NULL,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    suspended_ends BIGINT,
    suspended_by BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (space, tag),
    KEY ends (ends),
    KEY suspended_ends (suspended_ends)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS %messages% (
    number BIGINT NOT NULL PRIMARY KEY,
    told_at BIGINT NOT NULL,
    told LONGBLOB NOT NULL,
    KEY told_at (told_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
