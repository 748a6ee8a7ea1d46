"""What a person who reads it in a chat is told of an outcome."""

import pytest

from cobrowse.model import Outcome, Status
from web.responses import in_words


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAILED, Status.IGNORED, Status.RUNNING}))
def test_every_success_has_words_of_its_own(status):
    told = in_words(Outcome(status, "i", "c"))
    assert told.endswith(".")
    assert not told.startswith("Nothing was started: ")
