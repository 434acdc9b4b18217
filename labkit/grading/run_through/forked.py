"""The fork server for notebooks: what it loads before it forks, and what each fork does."""

import importlib
import sys

from labkit.grading.run_through.errand import Errand

LOADED = (
    *("labkit.grading.run_through.runner", "labkit.grading.session"),
    *("ipykernel.kernelapp", "ipykernel.debugger", "IPython.core.debugger", "IPython.core.oinspect"),
    *("IPython.extensions.storemagic", "tornado.platform.asyncio", "psutil"),
)
"""What runs notebooks, what they import first, and what a kernel loads before the first cell."""


def load() -> None:
    """Load what else would be loaded for every notebook: only this server has it."""
    sys.modules["rfc3987_syntax"] = None  # a second of jsonschema's import, for formats that no notebook has
    from nbformat.validator import get_validator  # noqa: PLC0415 - see above

    del sys.modules["rfc3987_syntax"]
    get_validator(4, 5)
    for module in LOADED:
        importlib.import_module(module)


def run(errand: Errand) -> None:
    """In a fork: run the notebooks. It does not return."""
    from labkit.grading.run_through import runner  # noqa: PLC0415 - whoever asks the server must not load pytest

    runner.run(errand)
