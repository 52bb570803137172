"""The weights that are shipped are the ones that the messages give."""

import sys
from pathlib import Path

import pytest
from written import messages

from holdfast.companion.words import DATA

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_weights_reproducible(monkeypatch):
    """Learns all anew, minutes of it: `pytest -m slow tests/companion/test_training.py`."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    train = __import__("train")
    known, plain = train.examples(messages(train.SAMPLES)), train.examples(messages())
    again = train.packed(train.learnt(known), train.limits(train.left_out(known, plain, "writer")))
    sys.modules.pop("train")
    assert again == (DATA / "weights.bin").read_bytes()
