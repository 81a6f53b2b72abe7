-- Purpose: fragment, the conditions that a letter must meet: of these lines those that a filter has, with parameters for their words.
-- Parameters: {subscription} or {behind} a subscription, or the one behind which they are; {place}, {key} in words, {event_name},
--   {after} and {through} places; {error} what the error contains; {failed} whether they have failed; {retry} whether somebody asked for them.
-- Zero rows: of its query, none is meant.
-- Index: that of the query it is put into.
AND s.name = {subscription}
AND s.name > {behind}
AND l.place = {place}
AND l.key_text = {key}
AND l.event_name = {event_name}
AND l.place > {after}
AND l.place <= {through}
AND l.error IS NOT NULL AND instr(l.error, {error}) > 0
AND l.error IS {failed}
AND l.retry = {retry}
