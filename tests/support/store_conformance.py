"""What every StateStore must do, for every kind of record.

A store's own test file runs it: it subclasses StoreConformance and gives it `new_place`. Nothing here waits.
Where a promise is about processes, they are real: each opens the store by itself, from `Place.code`.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_kinds import KINDS, Door, Place, together

from labkit.clock import FakeClock
from labkit.store import AlreadyExistsError, NotFoundError, VersionConflictError, paged
from labkit.task import Task

ODD_IDS = [
    *("a", "A", "a/b", "a\\b", "../up", "..", ".", ".lock", "a.b", "a.json", "a.json.json", "~", "-", "-rf", "_"),
    *("100%", "%", "%2e", "%2E", "%00", " ", " a", "a ", "tab\t", "two\nlines", "'", '"', "a:b", "*?[a]", "$HOME"),
    *("ключ", "é", "e\u0301", "ß", "SS", "日本", "🙂", "con", "NUL", "aux.txt", "x" * 200, "None", "0", "00"),
]
"""Every one another: in case, in Unicode form, in what a file system, a shell or SQL would make of it."""
IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=16)
STORES_OF_THEIR_OWN = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
)
"""Each example opens a store of its own, and each subclass a store of another kind."""


class StoreConformance:
    """Subclass it and give it `new_place`; a store that processes share, SharedStoreConformance."""

    @pytest.fixture
    def new_place(self) -> Callable[[], Place]:
        """Make an empty place to keep records in, another one at every call."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, new_place):
        """One empty place."""
        return new_place()

    @pytest.fixture
    def store(self, place):
        """The store in that place."""
        return place.open()

    @pytest.fixture(params=KINDS)
    def kind(self, request):
        """Every kind of record in turn."""
        return KINDS[request.param]

    def test_what_was_never_stored_is_none(self, store, kind):
        """No record is None, not an error; and looking for it makes none."""
        assert store.get(kind.model, "nobody") is None
        assert store.get(kind.model, "nobody") is None

    def test_insert_keeps_the_record_as_version_1(self, store, kind):
        """What insert returns is what is stored: the record, at version 1."""
        new = kind.new("a")
        stored = store.insert(new)
        assert stored == store.get(kind.model, "a")
        assert stored == new.model_copy(update={"version": 1, "updated_at": stored.updated_at})

    def test_insert_begins_at_version_1_whatever_the_record_says(self, store, kind):
        """A record that was stored before, elsewhere or until it was deleted, begins anew."""
        assert store.insert(kind.new("a").model_copy(update={"version": 7})).version == 1

    def test_insert_never_replaces(self, store, kind):
        """An id that is taken stays with whoever came first."""
        first = store.save(kind.step(store.insert(kind.new("a"))))
        with pytest.raises(AlreadyExistsError, match="a"):
            store.insert(kind.new("a"))
        assert store.get(kind.model, "a") == first

    def test_save_replaces_the_record_and_counts_its_version_up(self, store, kind):
        """What save returns is what is stored, one version on."""
        record = store.insert(kind.new("a"))
        for number in range(1, 4):
            changed = kind.step(record)
            record = store.save(changed)
            assert record == store.get(kind.model, "a")
            assert record == changed.model_copy(update={"version": number + 1, "updated_at": record.updated_at})

    def test_every_write_is_stamped_by_the_stores_clock(self, place, kind):
        """`updated_at` says when the record was stored, by the clock that the store was given."""
        clock = FakeClock()
        store = place.open(clock=clock)
        inserted = store.insert(kind.new("a"))
        assert inserted.updated_at == clock.now()
        clock.sleep(90)
        assert store.save(kind.step(inserted)).updated_at == clock.now() != inserted.updated_at
        assert store.get(kind.model, "a").updated_at == clock.now()

    def test_save_needs_a_record_to_replace(self, store, kind):
        """A record that was never inserted, or was deleted, does not come to be by saving."""
        with pytest.raises(NotFoundError, match="a"):
            store.save(kind.step(kind.new("a")))
        assert store.get(kind.model, "a") is None
        inserted = store.insert(kind.new("a"))
        store.delete(kind.model, "a")
        with pytest.raises(NotFoundError):
            store.save(kind.step(inserted))
        assert store.get(kind.model, "a") is None

    @pytest.mark.parametrize("off", [-2, -1, 1])
    def test_save_refuses_every_version_but_the_stored_one(self, store, kind, off):
        """Who read an older record, or claims a newer one, changes nothing."""
        stored = store.save(kind.step(store.insert(kind.new("a"))))
        with pytest.raises(VersionConflictError, match="a"):
            store.save(kind.step(stored).model_copy(update={"version": stored.version + off}))
        assert store.get(kind.model, "a") == stored

    def test_of_two_who_read_the_same_version_one_saves(self, place, kind):
        """A lost update is an error for the second writer, in whichever process it is."""
        one, other = place.open(), place.open()
        read = one.insert(kind.new("a"))
        same = other.get(kind.model, "a")
        kept = one.save(kind.step(read))
        with pytest.raises(VersionConflictError):
            other.save(kind.step(same))
        assert other.get(kind.model, "a") == kept

    def test_a_transition_that_the_record_refuses_is_not_stored(self, store, kind):
        """The store asks the record itself, with its own rules, and keeps the old one."""
        stored = store.insert(kind.new("a"))
        with pytest.raises(kind.error):
            store.save(kind.jump(stored))
        assert store.get(kind.model, "a") == stored
        last = store.save(kind.jump(store.save(kind.step(stored))))
        with pytest.raises(kind.error):
            store.save(last.model_copy(update={"state": stored.state}))
        assert store.get(kind.model, "a") == last

    def test_what_could_not_be_read_again_is_refused_before_it_is_written(self, store, kind):
        """A save that returned can be relied on; a record that makes no sense is a ValueError, and changes nothing."""
        with pytest.raises(ValueError, match="validation error"):
            store.insert(kind.spoiled(kind.new("a")))
        assert store.get(kind.model, "a") is None
        stored = store.insert(kind.new("a"))
        with pytest.raises(ValueError, match="validation error"):
            store.save(kind.spoiled(kind.step(stored)))
        assert store.get(kind.model, "a") == stored

    def test_kinds_do_not_see_each_other(self, store):
        """The same id in two kinds is two records."""
        kept = {name: store.insert(kind.new("same")) for name, kind in KINDS.items()}
        store.delete(Task, "same")
        kept["task"] = None
        for name, kind in KINDS.items():
            assert store.get(kind.model, "same") == kept[name]
            listed = [record for state in kind.states for record in store.list_by_state(kind.model, state)]
            assert listed == [kept[name]] * (kept[name] is not None)

    def test_a_deleted_record_is_forgotten_and_no_other(self, store, kind):
        """Delete takes one record away; it may be stored anew, and deleting nothing is no error."""
        other = store.insert(kind.new("b"))
        store.insert(kind.new("a"))
        store.delete(kind.model, "a")
        store.delete(kind.model, "a")
        assert store.get(kind.model, "a") is None
        assert store.list_by_state(kind.model, kind.states[0]) == [other]
        assert store.insert(kind.new("a")).version == 1

    def test_every_id_is_a_record_of_its_own(self, store, kind):
        """Ids are any text at all; no two are taken for one, and none leads anywhere else."""
        stored = {name: store.insert(kind.new(name)) for name in ODD_IDS}
        assert {name: store.get(kind.model, name) for name in ODD_IDS} == stored
        assert store.list_by_state(kind.model, kind.states[0]) == [stored[name] for name in sorted(ODD_IDS)]
        for name in ODD_IDS:
            store.save(kind.step(stored[name]))
            store.delete(kind.model, name)
        assert store.list_by_state(kind.model, kind.states[1]) == []

    @given(names=st.sets(IDS, min_size=1, max_size=12))
    @STORES_OF_THEIR_OWN
    def test_any_ids_at_all_are_kept_apart(self, new_place, names):
        """As above, for ids that nobody thought of."""
        store = new_place().open()
        stored = {name: store.insert(Door(id=name)) for name in names}
        assert {name: store.get(Door, name) for name in names} == stored
        assert store.list_by_state(Door, "open") == [stored[name] for name in sorted(names)]

    @given(
        user_input=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        journal=st.dictionaries(IDS, IDS),
    )
    @STORES_OF_THEIR_OWN
    def test_any_content_comes_back_as_it_was(self, new_place, user_input, journal):
        """Nothing of a record is changed by storing it, the order of its journal included."""
        place = new_place()
        stored = place.open().insert(Task(id="a", user_input=user_input, journal=journal))
        back = place.open().get(Task, "a")
        assert back == stored
        assert (back.user_input, list(back.journal.items())) == (user_input, list(journal.items()))

    def test_a_stored_record_shares_nothing_with_the_one_given(self, store):
        """Who goes on changing what it gave to the store changes neither what is stored nor what was returned."""
        given_ = Task(id="a", user_input="x")
        returned = store.insert(given_)
        given_.journal["later"] = "never stored"
        assert returned.journal == store.get(Task, "a").journal == {}

    def test_a_state_lists_its_records_and_no_others(self, store, kind):
        """A record is listed in the state it is in, and only there, as get would return it."""
        first = store.insert(kind.new("a"))
        busy = store.save(kind.step(store.insert(kind.new("b"))))
        last = store.save(kind.jump(store.save(kind.step(store.insert(kind.new("c"))))))
        assert [store.list_by_state(kind.model, state) for state in kind.states] == [[first], [busy], [last]]
        assert store.list_by_state(kind.model, "nowhere") == []

    @given(data=st.data(), names=st.sets(IDS, max_size=12), limit=st.integers(1, 13))
    @STORES_OF_THEIR_OWN
    def test_pages_are_complete_and_in_order(self, new_place, data, names, limit):
        """Page after page, each after the last id of the one before: every record once, in the order of the ids."""
        kind, store = KINDS["door"], new_place().open()
        busy = data.draw(st.sets(st.sampled_from(sorted(names)))) if names else set()
        for name in data.draw(st.permutations(sorted(names))):
            inserted = store.insert(kind.new(name))
            if name in busy:
                store.save(kind.step(inserted))
        seen, page = [], store.list_by_state(kind.model, kind.states[1], limit=limit)
        while page:
            assert len(page) == min(limit, len(busy) - len(seen))
            seen += [record.id for record in page]
            page = store.list_by_state(kind.model, kind.states[1], after=seen[-1], limit=limit)
        assert seen == sorted(busy)

    def test_a_list_is_never_longer_than_its_limit(self, store, kind):
        """Nobody who forgets the limit gets a million records, and none is none."""
        for number in range(101):
            store.insert(kind.new(f"{number:03}"))
        first = kind.states[0]
        assert len(store.list_by_state(kind.model, first)) == 100
        assert store.list_by_state(kind.model, first, limit=0) == []
        assert [record.id for record in store.list_by_state(kind.model, first, after="099")] == ["100"]
        assert store.list_by_state(kind.model, first, after="100") == []

    def test_ids_are_listed_whatever_the_state(self, store, kind):
        """Every record of the kind and no other, in the order of the ids; a deleted one is gone."""
        assert store.list_ids(kind.model) == []
        for name in reversed(ODD_IDS):
            store.insert(kind.new(name))
        store.save(kind.jump(store.save(kind.step(store.get(kind.model, "a")))))
        other = next(each for each in KINDS.values() if each.model is not kind.model)
        store.insert(other.new("of another kind"))
        assert store.list_ids(kind.model) == sorted(ODD_IDS)
        store.delete(kind.model, "a")
        assert store.list_ids(kind.model) == sorted({*ODD_IDS} - {"a"})

    @given(names=st.sets(IDS, max_size=12), limit=st.integers(1, 13))
    @STORES_OF_THEIR_OWN
    def test_pages_of_ids_are_complete_and_in_order(self, new_place, names, limit):
        """Page after page, each after the last id of the one before: every id once."""
        store = new_place().open()
        for name in names:
            store.insert(Door(id=name))
        seen, page = [], store.list_ids(Door, limit=limit)
        while page:
            assert len(page) == min(limit, len(names) - len(seen))
            seen += page
            page = store.list_ids(Door, after=seen[-1], limit=limit)
        assert seen == sorted(names)

    def test_a_list_of_ids_is_never_longer_than_its_limit(self, store):
        """A hundred unless more are asked for, and none is none; `after` need not be there."""
        names = [f"{number:03}" for number in range(101)]
        for name in names:
            store.insert(Door(id=name))
        assert store.list_ids(Door) == names[:100]
        assert store.list_ids(Door, limit=1000) == names
        assert store.list_ids(Door, limit=0) == []
        assert store.list_ids(Door, after="0985") == ["099", "100"]

    @pytest.mark.parametrize("number", [0, 100, 130])
    def test_all_pages_together_name_each_record_once(self, store, number):
        """More than a page, exactly one, or none: each is met once, whether or not its state is what it was."""
        names = [f"{each:03}" for each in range(number)]
        for name in names:
            store.insert(Door(id=name))
        assert list(paged(store.list_ids, Door)) == names
        assert list(paged(store.list_ids, Door, after="0985")) == names[99:]
        met = []
        for door in paged(store.list_by_state, Door, "open"):
            met.append(door.id)
            store.save(door.model_copy(update={"state": "closed"} if len(met) % 2 else {"passages": 1}))
        assert met == names


class SharedStoreConformance(StoreConformance):
    """Of a store that several processes may use at once."""

    def test_no_update_is_lost_between_processes(self, place, kind):
        """Real processes that read, change, save and begin again on a conflict lose nothing of each other's work."""
        place.open().insert(kind.new("a"))
        together(place, "increment", [(kind, "a", 10)] * 4)
        record = place.open().get(kind.model, "a")
        assert (kind.count(record), record.version) == (40, 41)

    def test_of_many_processes_that_insert_one_id_exactly_one_succeeds(self, place, kind):
        """Insert is the atomic claim of a key: for each of 10 keys, four processes race, and one wins."""
        won = together(place, "claim", [(kind, f"process {number}", 10) for number in range(4)])
        assert sorted(key for keys in won for key in keys) == list(range(10))
        for key in range(10):
            assert place.open().get(kind.model, f"key {key}").version == 1
