-- Scans choose blocks by one index that has all they need to know before they read a block: neither are
-- the rows touched, which stand among the data, nor does each write touch two indexes by time.
DROP INDEX blocks_by_time_min;
DROP INDEX blocks_by_time_max;
CREATE INDEX blocks_by_time ON blocks
    (logstore_id, time_min, time_max, log_count, raw_bytes, index_generation, shard, cursor, topic);

-- The longest time from the first to the last log of a block, in seconds: no block that begins earlier than
-- that before a wanted time can hold logs of it.
ALTER TABLE logstores ADD COLUMN block_seconds_max INTEGER NOT NULL DEFAULT 0;
UPDATE logstores SET block_seconds_max =
    (SELECT coalesce(max(time_max - time_min), 0) FROM blocks WHERE logstore_id = logstores.id);
