"""`pg_current_snapshot` as if a database were alone on its server.

PostgreSQL numbers the transactions of all databases in one row, and a snapshot has all that are under way. So a
transaction that somebody has left open in another database holds back `pg_snapshot_xmin`, and who polls by it: another
sweep, the notebook itself. What a program does would hang on that. What is left: one that ends in the moment between
the snapshot and the look at who holds which number is taken for one of ours.
"""

from typing import LiteralString

ALONE: LiteralString = """
    SET allow_system_table_mods = on;
    ALTER FUNCTION pg_catalog.pg_current_snapshot() RENAME TO labkit_snapshot_of_server;
    ALTER FUNCTION pg_catalog.txid_current_snapshot() RENAME TO labkit_txid_snapshot_of_server;
    CREATE FUNCTION pg_catalog.pg_current_snapshot() RETURNS pg_snapshot
        LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog AS $$
    DECLARE
        taken pg_snapshot := labkit_snapshot_of_server();
        ours xid8[];
    BEGIN
        IF pg_snapshot_xmin(taken) = pg_snapshot_xmax(taken) THEN RETURN taken; END IF;
        IF current_setting('labkit.taken', true) = taken::text THEN
            RETURN current_setting('labkit.shown')::pg_snapshot; -- the same of one snapshot, who ever ends meanwhile
        END IF;
        PERFORM pg_stat_clear_snapshot();
        ours := ARRAY(
            SELECT xid FROM pg_snapshot_xip(taken) AS xid WHERE NOT EXISTS (
                SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND transactionid = xid::xid
                AND datname IS DISTINCT FROM current_database()
            ) ORDER BY xid
        );
        PERFORM set_config('labkit.taken', taken::text, false);
        RETURN set_config('labkit.shown', concat_ws(':',
            least(ours[1], pg_current_xact_id_if_assigned(), pg_snapshot_xmax(taken)), pg_snapshot_xmax(taken),
            array_to_string(ours, ',')
        ), false)::pg_snapshot;
    END $$;
    CREATE FUNCTION pg_catalog.txid_current_snapshot() RETURNS txid_snapshot
        LANGUAGE sql STABLE PARALLEL UNSAFE AS 'SELECT pg_catalog.pg_current_snapshot()::text::txid_snapshot';
"""
"""For the superuser, in a new database. PostgreSQL knows its own function by a number: one in its place has another."""
FURNISHED: LiteralString = "SELECT to_regprocedure('pg_catalog.labkit_snapshot_of_server()')"
"""NULL if that has not been done."""
