-- What the schema is made of, one object a row, for comparing it with what the migrations make. Whole definitions are not in it: versions of
-- PostgreSQL print them differently. Expressions are, with all their parentheses and without quotes, which follow each version's keywords.
-- Parameters: none. Index: those of the catalog, by schema.
SELECT object FROM (
    SELECT format('column %s.%s: %s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN ' not null' END) AS object
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = to_regnamespace('{schema}') AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'sequence' END, c.relname)
    FROM pg_class c WHERE c.relnamespace = to_regnamespace('{schema}') AND c.relkind IN ('v', 'S')
    UNION ALL
    SELECT format('index %s: %s%s of %s (%s)%s%s', c.relname, CASE WHEN i.indisunique THEN 'unique ' END, m.amname, t.relname,
        (
            SELECT string_agg(replace(pg_get_indexdef(i.indexrelid, k, true), '"', ''), ', ' ORDER BY k)
            FROM generate_series(1, i.indnkeyatts) k
        ),
        ' where ' || replace(pg_get_expr(i.indpred, i.indrelid), '"', ''), CASE WHEN NOT i.indisvalid THEN ', not valid' END)
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_am m ON m.oid = c.relam
    WHERE c.relnamespace = to_regnamespace('{schema}')
    UNION ALL
    SELECT format('constraint %s: %s of %s%s%s', o.conname,
        CASE o.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign key' ELSE 'check' END, t.relname,
        ' that ' || replace(pg_get_expr(o.conbin, o.conrelid), '"', ''), CASE WHEN NOT o.convalidated THEN ', not valid' END)
    FROM pg_constraint o JOIN pg_class t ON t.oid = o.conrelid
    WHERE o.connamespace = to_regnamespace('{schema}') AND o.contype IN ('p', 'u', 'f', 'c')
    UNION ALL
    SELECT format('trigger %s on %s: by %s%s', g.tgname, t.relname, f.proname,
        CASE WHEN g.tgenabled NOT IN ('O', 'A') THEN ', disabled' END)
    FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid JOIN pg_proc f ON f.oid = g.tgfoid
    WHERE t.relnamespace = to_regnamespace('{schema}') AND NOT g.tgisinternal
    UNION ALL
    SELECT format('function %s(%s): %s', f.proname,
        (
            SELECT string_agg(format_type(kind, NULL), ', ' ORDER BY number)
            FROM unnest(f.proargtypes) WITH ORDINALITY AS of_argument (kind, number)
        ),
        md5(replace(f.prosrc, '{schema}', '{' || 'schema}')))
    FROM pg_proc f WHERE f.pronamespace = to_regnamespace('{schema}')
) AS objects
ORDER BY object COLLATE "C"
