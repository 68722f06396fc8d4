"""Pages that several files look at, each rendered once."""

from __future__ import annotations

import pytest

from tests.fake_records import full_set
from tests.pages import committed_page, page_of


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """A first full run: three models and the real scans."""
    return page_of(tmp_path_factory.mktemp("report"), full_set())


@pytest.fixture(scope="session")
def committed():
    """The records of this repository."""
    return committed_page()
