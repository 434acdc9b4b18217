"""A student's archive is read in memory: no path out of it, no link, no bomb, and what is damaged is said."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from labkit.grading.reader import archives
from labkit.grading.reader.archives import ArchiveError, is_archive, members


def zipped(**files):
    """A zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def tarred(mode="w:gz", **files):
    """A tarball of these files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def found(data):
    """What is in it: name → content or problem."""
    return {each.name: each.problem or each.data for each in members(data, lambda name: True)}


@pytest.mark.parametrize(
    "data",
    [zipped(**{"a/b": b"x"}), *(tarred(mode, **{"a/b": b"x"}) for mode in ("w", "w:gz", "w:bz2", "w:xz"))],
    ids=["zip", "tar", "gz", "bz2", "xz"],
)
def test_archives_of_all_usual_kinds_are_read(data):
    """And those in them."""
    assert is_archive(data)
    assert found(data) == {"a/b": b"x"}
    assert found(zipped(inner=data)) == {"inner/a/b": b"x"}


def test_no_path_leads_out_and_no_link_is_followed():
    """They are told, and nothing of them is read."""
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        for name in ("../up", "/top", "a/../../b", "c\\..\\..\\d"):
            archive.writestr(name, "x")
    assert len(found(made.getvalue())) == 5
    assert all("was not read" in each for each in found(made.getvalue()).values())
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo(f"kind {kind}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert all("was not read" in each for each in found(made.getvalue()).values())


@pytest.mark.parametrize("make", [zipped, tarred], ids=["zip", "tar"])
def test_a_bomb_does_not_go_off(make, monkeypatch):
    """Neither one large file, nor many, nor archives in archives."""
    monkeypatch.setattr(archives.Budget, "left", 10_000)
    monkeypatch.setattr(archives, "MOST_FILES", 20)
    for bomb in (
        make(large=bytes(1_000_000)),
        make(**{f"{number}": bytes(900) for number in range(15)}),
        make(**{f"{number}": b"" for number in range(40)}),
        gzip.compress(bytes(1_000_000)),
    ):
        with pytest.raises(ArchiveError, match="more than"):
            found(bomb)
    with pytest.raises(ArchiveError, match="more than"):
        found(make(**{f"{number}": zipped(large=bytes(9_000)) for number in range(5)}))


def test_an_archive_in_an_archive_in_an_archive_is_named():
    """Nobody hands that in; who does is looked at."""
    assert "was not read" in str(found(zipped(a=zipped(b=zipped(c=b"x")))))


@pytest.mark.parametrize("cut", [10, 60, 100])
@pytest.mark.parametrize("make", [zipped, tarred], ids=["zip", "tar"])
def test_a_damaged_archive_is_one_clear_line(make, cut):
    """As after an upload that broke off."""
    data = make(**{"03_backoff.ipynb": bytes(range(256)) * 4})
    with pytest.raises(ArchiveError):
        found(data[: len(data) - cut])


def test_an_encrypted_archive_says_so():
    """The bit of its header is enough."""
    data = bytearray(zipped(a=b"x"))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(ArchiveError, match="password"):
        found(bytes(data))
