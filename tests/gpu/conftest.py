"""What only a GPU can show: its images are those of a CPU, compiled steps and half precision work on it.

pytest tests/gpu        (skipped where no GPU is; a minute or two, most of it torch's compiler)
"""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def gpu() -> str:
    """The device; the test is skipped where there is none."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    return "cuda"
