"""Events: others learn what happened in a run, in order, and each of them acts on it once.

    here:           record, in the transaction of what happened → waiting → relay: sent, then marked → forget, when old
    at the others:  receive, in the transaction of its effect: True → False for every repeat → forget, when old

    labkit_outbox     run, number, type, payload, recorded_at; sent_at and problem, which are the relay's
    labkit_last       the last number of each run
    labkit_inbox      the ids of the events that had their effect here

A number is taken by an update of the run's row in labkit_last, which stays locked until the transaction ends: so the
numbers of a run have no gap, and are in the order of the commits. A sequence is neither: 7 may be committed before 6,
and whoever asks for "more than 7" never sees 6. The relay asks for what is not marked, and locks no row that `record`
waits for.
"""

from labkit.events.inbox import receive
from labkit.events.outbox import Event, cloud_event, record
from labkit.events.relay import relay
from labkit.events.tables import create_tables, forget

__all__ = ["Event", "cloud_event", "create_tables", "forget", "receive", "record", "relay"]
