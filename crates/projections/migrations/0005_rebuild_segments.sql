-- Log positions at which the segments of the filling ended, rising: a row that was changed behind the end of the segment that its first
-- event was in was written in both.
ALTER TABLE rebuild ADD COLUMN segment_ends bigint[] NOT NULL DEFAULT '{}';
