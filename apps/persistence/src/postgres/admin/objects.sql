-- Purpose: everything that is in a schema by itself, whatever it is: tables, views, functions, types, sequences, extensions and
--   so on; not what belongs to one of these. The identity is what DROP takes.
-- Parameters: $1 the schema's name.
-- Zero rows: the schema is empty or is not there.
-- Index: those of the catalogue; they are small.
SELECT object.type AS kind, coalesce(class.relname, proc.proname)::text AS name, object.identity
FROM pg_namespace namespace
JOIN pg_depend depend
    ON depend.refclassid = 'pg_namespace'::regclass AND depend.refobjid = namespace.oid AND depend.deptype = 'n'
CROSS JOIN LATERAL pg_identify_object(depend.classid, depend.objid, depend.objsubid) AS object
LEFT JOIN pg_class class ON depend.classid = 'pg_class'::regclass AND class.oid = depend.objid
LEFT JOIN pg_proc proc ON depend.classid = 'pg_proc'::regclass AND proc.oid = depend.objid
WHERE namespace.nspname = $1
ORDER BY object.type, object.identity
