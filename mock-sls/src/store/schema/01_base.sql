-- Times without a unit in their name are Unix seconds.

CREATE TABLE projects (
    id               INTEGER PRIMARY KEY,
    name             TEXT    NOT NULL UNIQUE,
    owner            TEXT    NOT NULL,
    body             TEXT    NOT NULL, -- JSON: what the caller set
    create_time      INTEGER NOT NULL,
    last_modify_time INTEGER NOT NULL
) STRICT;

CREATE TABLE logstores (
    id               INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    project_id       INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name             TEXT    NOT NULL,
    body             TEXT    NOT NULL, -- JSON: what the caller set
    append_meta      INTEGER NOT NULL,
    create_time      INTEGER NOT NULL,
    last_modify_time INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

-- [begin_key, end_key) of a shard in a space of 128 bits, as 32 lower-case hex digits.
CREATE TABLE shards (
    logstore_id INTEGER NOT NULL REFERENCES logstores (id) ON DELETE CASCADE,
    shard       INTEGER NOT NULL,
    writable    INTEGER NOT NULL,
    begin_key   TEXT    NOT NULL,
    end_key     TEXT    NOT NULL,
    create_time INTEGER NOT NULL,
    PRIMARY KEY (logstore_id, shard)
) STRICT, WITHOUT ROWID;

-- Every state that the index of a Logstore had; the highest generation is the current one
-- and a NULL body says that there is none. Logs carry the generation they were written
-- under, because an index only covers logs written after it.
CREATE TABLE indexes (
    logstore_id      INTEGER NOT NULL REFERENCES logstores (id) ON DELETE CASCADE,
    generation       INTEGER NOT NULL,
    body             TEXT,
    last_modify_time INTEGER NOT NULL,
    PRIMARY KEY (logstore_id, generation)
) STRICT, WITHOUT ROWID;

-- One LogGroup as received: protobuf, LZ4 block, with the columns that a scan selects by.
CREATE TABLE blocks (
    id               INTEGER PRIMARY KEY,
    logstore_id      INTEGER NOT NULL REFERENCES logstores (id) ON DELETE CASCADE,
    shard            INTEGER NOT NULL,
    cursor           INTEGER NOT NULL, -- position in the shard; receive time in ns or later
    receive_time     INTEGER NOT NULL,
    time_min         INTEGER NOT NULL, -- earliest log time
    time_max         INTEGER NOT NULL, -- latest log time
    log_count        INTEGER NOT NULL,
    topic            TEXT    NOT NULL,
    index_generation INTEGER NOT NULL, -- 0: no index yet
    client_ip        TEXT,             -- NULL unless the Logstore adds tags of its own
    raw_bytes        INTEGER NOT NULL, -- length of the protobuf before compression
    data             BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX blocks_by_cursor ON blocks (logstore_id, shard, cursor);
CREATE INDEX blocks_by_time_min ON blocks (logstore_id, time_min, time_max);
CREATE INDEX blocks_by_time_max ON blocks (logstore_id, time_max, time_min);

CREATE TABLE machine_groups (
    id               INTEGER PRIMARY KEY,
    project_id       INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name             TEXT    NOT NULL,
    body             TEXT    NOT NULL, -- JSON: what the caller set
    create_time      INTEGER NOT NULL,
    last_modify_time INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

-- The machine list of a group, one row per entry, to find groups from an agent's heartbeat.
CREATE TABLE machine_group_members (
    group_id INTEGER NOT NULL REFERENCES machine_groups (id) ON DELETE CASCADE,
    kind     TEXT    NOT NULL, -- 'ip' or 'userdefined'
    value    TEXT    NOT NULL,
    PRIMARY KEY (kind, value, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX machine_group_members_by_group ON machine_group_members (group_id);

CREATE TABLE logtail_configs (
    id               INTEGER PRIMARY KEY,
    project_id       INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name             TEXT    NOT NULL,
    logstore         TEXT    NOT NULL, -- the name it ships to; need not exist
    body             TEXT    NOT NULL, -- JSON: what the caller set
    create_time      INTEGER NOT NULL,
    last_modify_time INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

CREATE TABLE applied_configs (
    group_id  INTEGER NOT NULL REFERENCES machine_groups (id) ON DELETE CASCADE,
    config_id INTEGER NOT NULL REFERENCES logtail_configs (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, config_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX applied_configs_by_config ON applied_configs (config_id);

-- Agents that ever sent a heartbeat, with what they last said of themselves.
CREATE TABLE agents (
    instance_id    TEXT    NOT NULL PRIMARY KEY,
    agent_type     TEXT    NOT NULL,
    version        TEXT    NOT NULL,
    ip             TEXT    NOT NULL,
    hostname       TEXT    NOT NULL,
    host_id        TEXT    NOT NULL,
    running_status TEXT    NOT NULL,
    startup_time   INTEGER NOT NULL,
    sequence_num   INTEGER NOT NULL,
    last_heartbeat INTEGER NOT NULL,
    notice         TEXT    NOT NULL -- what the last answer told it; empty when all was well
) STRICT, WITHOUT ROWID;
CREATE INDEX agents_by_heartbeat ON agents (last_heartbeat);

CREATE TABLE agent_tags (
    instance_id TEXT NOT NULL REFERENCES agents (instance_id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (instance_id, name, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_tags_by_value ON agent_tags (name, value);

CREATE TABLE agent_configs (
    instance_id TEXT    NOT NULL REFERENCES agents (instance_id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    PRIMARY KEY (instance_id, name)
) STRICT, WITHOUT ROWID;
