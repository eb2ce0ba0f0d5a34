"""Where the files that come with the package are, in a checkout and in a wheel."""

from pathlib import Path

PACKAGE = Path(__file__).parent


def data_dir(name: str) -> Path:
    """Folder `hwconfigs` or `workloads`: inside an installed wheel, or beside the package in a checkout."""
    installed = PACKAGE / "_data" / name
    return installed if installed.is_dir() else PACKAGE.parent / name
