-- Purpose: the first of the boxes that are lost.
-- Parameters: none.
-- Zero rows: none is.
-- Index: primary key of lost_boxes.
SELECT box FROM lost_boxes WHERE box > 0 ORDER BY box LIMIT 1
