"""What the report says of the software: version, licence, address, as the installed distribution declares them."""

from __future__ import annotations

import importlib.metadata

DISTRIBUTION = "arbiter-bench"
LICENCE = "MIT"


def version() -> str:
    """ "unknown" where the package runs from a folder and is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def repository() -> str:
    """The address that [project.urls] declares as `Repository`; "" where it declares none, or none to link to."""
    try:
        declared = importlib.metadata.metadata(DISTRIBUTION).get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    urls = {name.strip().lower(): url.strip() for name, _, url in (each.partition(",") for each in declared)}
    url = urls.get("repository", "")
    return url if url.startswith(("https://", "http://")) else ""
