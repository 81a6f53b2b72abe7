-- Purpose: forgets a lost box in which nothing is left.
-- Parameters: ?1 box.
-- Zero rows: always.
-- Index: primary key of lost_boxes.
DELETE FROM lost_boxes WHERE box = ?1
