"""An instructor's own criteria on their way to a worker: what the judge reads of that folder, each file by its hash."""

import json
from pathlib import Path, PurePosixPath

from labkit.grading.distributed.tables import MOST
from labkit.repository import UsageError

READ = ("criteria.toml", "*.ipynb", "criteria/**/*")
MOST_FILES = 2000


def packed(folder: Path) -> dict[str, bytes]:
    """Path in the folder → what is in the file. UsageError: unreadable, too large, too many."""
    paths = [path for pattern in READ for path in sorted(folder.glob(pattern)) if path.is_file()]
    paths = [path for path in paths if "__pycache__" not in path.parts]
    if len(paths) > MOST_FILES:
        raise UsageError(f"{folder / 'criteria'} has more than {MOST_FILES} files: keep only what judges in it")
    try:
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    for name, data in files.items():
        if len(data) > MOST:
            raise UsageError(f"{folder / name} has more than {MOST // 2**20} MiB: no worker gets that")
    return files


def unpack(files: dict[str, bytes], folder: Path) -> Path:
    """Write them. ValueError if one would lie elsewhere."""
    for name, data in files.items():
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise ValueError(name)
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def listed(names: dict[str, str]) -> bytes:
    """Path → hash, as what travels."""
    return json.dumps(names, sort_keys=True).encode()
