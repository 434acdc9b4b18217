"""Ending the connections of others, and waiting until they are gone, in one statement of SQL."""

from psycopg import sql


def ending(which: sql.SQL) -> sql.Composed:
    """Ends those in pg_stat_activity for which a condition holds; pg_terminate_backend would look every 100 ms only."""
    return sql.SQL("""
        DO $$ DECLARE
            others int[] := ARRAY(SELECT pid FROM pg_stat_activity WHERE {});
        BEGIN
            PERFORM pg_terminate_backend(pid) FROM unnest(others) AS pid;
            FOR look IN 1..10000 LOOP
                IF NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY(others)) THEN RETURN; END IF;
                PERFORM pg_sleep(0.001), pg_stat_clear_snapshot();
            END LOOP;
            RAISE 'a backend does not end';
        END $$
    """).format(which)
