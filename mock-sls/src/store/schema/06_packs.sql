-- Where the packed group of a block is, unless it is in `data`: the number of its pack file times 2^32, plus
-- the place in it; its length, and its CRC-32. Both bytes of a group into the write-ahead log and later into the database
-- cost more than all else that is done for it.
ALTER TABLE blocks ADD COLUMN place INTEGER;
ALTER TABLE blocks ADD COLUMN packed_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN packed_crc INTEGER NOT NULL DEFAULT 0;
CREATE INDEX blocks_by_place ON blocks (place, packed_bytes) WHERE place IS NOT NULL;
