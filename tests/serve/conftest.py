"""A folder of models and a service over it, for every test of the service that wants no other.

A file with other needs defines ``models`` itself; ``client`` then serves those.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.support.serve_models import write_heart, write_housing
from tests.support.serving import serving


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heart, two classes, and housing, a value."""
    folder = tmp_path_factory.mktemp("models")
    write_heart(folder)
    write_housing(folder)
    return folder


@pytest.fixture(scope="module")
def client(models: Path) -> Iterator[TestClient]:
    with serving(models, default="heart") as client:
        yield client
