"""The order of the files: the longest first, so that no processor is idle at the end.

Orderly stops come before kills: the first of them writes the class archive that all starts use.
"""

import pytest

LONGEST = (
    "integration/test_lifecycle.py",
    "integration/test_migrate.py",
    "integration/chaos/test_trials.py",
    "integration/test_reprocess.py",
    "integration/test_backup.py",
    "integration/test_change.py",
    "integration/test_poison.py",
    "integration/test_preflight.py",
    "integration/test_losses.py",
    "integration/test_recover.py",
    "integration/",
)


def _place(item: pytest.Item) -> int:
    return next(
        (number for number, name in enumerate(LONGEST) if f"tests/{name}" in item.nodeid),
        len(LONGEST),
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort stably; `--no-loadscope-reorder` keeps it so."""
    items.sort(key=_place)
