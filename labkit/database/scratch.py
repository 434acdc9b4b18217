"""Empty databases for those who need one for a while: a test, a sweep, a notebook. They are used again and again.

Who uses one holds an advisory lock on the server. The lock ends with its holder, however that dies, and the next one
may come.
"""

import time
from itertools import count

from psycopg import sql

from labkit.database.server import Server, url

LOCK = 0x6C616273
"""The advisory locks of those who use one: "labs" in ASCII, and the number of the database."""
PATIENCE = 10.0
END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
"""
EVERYTHING = """
    SELECT 1, 'EXTENSION', quote_ident(extname) FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL
    SELECT 2, 'SCHEMA', quote_ident(nspname) FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
    UNION ALL
    SELECT 3, 'TABLE', oid::regclass::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'f')
    UNION ALL
    SELECT 4, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'SEQUENCE' END,
        oid::regclass::text
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'S')
    UNION ALL
    SELECT 5, 'ROUTINE', oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 6, CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.oid::regtype::text
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid
    WHERE typnamespace = 'public'::regnamespace AND (typtype IN ('d', 'e', 'r') OR relkind = 'c')
    ORDER BY 1
"""
"""What there is to drop, in an order in which it can be: what belongs to something else goes with that."""


class Scratch:
    """An empty database that is ours until `close`, or until this process ends."""

    def __init__(self, server: Server) -> None:
        """Take the first that is free, and make one if there is none."""
        self._claim = server.connect(**server.conninfo())
        take = "SELECT pg_try_advisory_lock(%s, %s)"
        number = next(n for n in count() if self._claim.execute(take, [LOCK, n]).fetchone()[0])
        name = f"labkit_scratch_{number}"
        server.make_database(name)
        self.connection, self.url = server.connect(**server.owner(name)), url(server.owner(name))
        self.end_others()
        self.clear()

    def end_others(self) -> None:
        """End the connections of others, and wait until they are gone. TimeoutError after 10 seconds."""
        deadline = time.monotonic() + PATIENCE
        while self.connection.execute(END_OTHERS).fetchall():
            if time.monotonic() > deadline:
                raise TimeoutError("a connection to a scratch database does not end")
            time.sleep(0.001)

    def clear(self) -> None:
        """Drop everything in it."""
        with self.connection.transaction():
            for _, what, name in self.connection.execute(EVERYTHING).fetchall():
                drop = sql.SQL("DROP {} IF EXISTS {} CASCADE")
                self.connection.execute(drop.format(sql.SQL(what), sql.SQL(name)))

    def close(self) -> None:
        """Disconnect: that frees the advisory lock, and the next process takes this database."""
        self.connection.close()
        self._claim.close()
