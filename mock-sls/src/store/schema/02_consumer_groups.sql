-- Shards that split and merge, logs that expire, writers with sequence numbers, consumer groups.
-- Times without a unit in their name are Unix seconds.

-- How long logs are kept; also in the body, here to be read with every request.
ALTER TABLE logstores ADD COLUMN ttl_days INTEGER NOT NULL DEFAULT 30;
UPDATE logstores SET ttl_days = coalesce(json_extract(body, '$.ttl'), 30);

-- When a shard was split or merged; NULL while it is writable.
ALTER TABLE shards ADD COLUMN close_time INTEGER;
-- The end of the shard is not before this cursor, though the logs that were there are deleted.
ALTER TABLE shards ADD COLUMN end_cursor_min INTEGER NOT NULL DEFAULT 0;

-- What a shard was made from; gone with its parent.
CREATE TABLE shard_parents (
    logstore_id INTEGER NOT NULL,
    shard       INTEGER NOT NULL,
    parent      INTEGER NOT NULL,
    PRIMARY KEY (logstore_id, shard, parent),
    FOREIGN KEY (logstore_id, shard) REFERENCES shards (logstore_id, shard) ON DELETE CASCADE,
    FOREIGN KEY (logstore_id, parent) REFERENCES shards (logstore_id, shard) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX shard_parents_by_parent ON shard_parents (logstore_id, parent);

-- The last sequence number of every hash key that was written with one.
CREATE TABLE sequences (
    logstore_id INTEGER NOT NULL REFERENCES logstores (id) ON DELETE CASCADE,
    key         TEXT    NOT NULL, -- 32 lower-case hex digits
    last        INTEGER NOT NULL,
    use_time    INTEGER NOT NULL,
    PRIMARY KEY (logstore_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX sequences_by_use ON sequences (use_time);

CREATE TABLE consumer_groups (
    id          INTEGER PRIMARY KEY,
    logstore_id INTEGER NOT NULL REFERENCES logstores (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    timeout_s   INTEGER NOT NULL,
    ordered     INTEGER NOT NULL,
    UNIQUE (logstore_id, name)
) STRICT;

CREATE TABLE consumers (
    group_id       INTEGER NOT NULL REFERENCES consumer_groups (id) ON DELETE CASCADE,
    name           TEXT    NOT NULL,
    heartbeat_time INTEGER NOT NULL, -- milliseconds
    PRIMARY KEY (group_id, name)
) STRICT, WITHOUT ROWID;

-- Who may read a shard for a group. A shard has one owner until that one says that it holds it
-- no more, or is taken for dead.
CREATE TABLE shard_owners (
    group_id INTEGER NOT NULL,
    shard    INTEGER NOT NULL,
    consumer TEXT    NOT NULL,
    PRIMARY KEY (group_id, shard),
    FOREIGN KEY (group_id, consumer) REFERENCES consumers (group_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX shard_owners_by_consumer ON shard_owners (group_id, consumer);

CREATE TABLE checkpoints (
    group_id    INTEGER NOT NULL REFERENCES consumer_groups (id) ON DELETE CASCADE,
    shard       INTEGER NOT NULL,
    cursor      INTEGER NOT NULL,
    consumer    TEXT    NOT NULL, -- who stored it
    update_time INTEGER NOT NULL, -- microseconds
    PRIMARY KEY (group_id, shard)
) STRICT, WITHOUT ROWID;
