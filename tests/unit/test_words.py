"""What a person who reads it in a chat is told of an outcome."""

import pytest

from cobrowse.model import Outcome, Status
from web.responses import chat_message


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAILED, Status.IGNORED, Status.RUNNING}))
def test_every_success_has_words_of_its_own(status):
    told = chat_message(Outcome(status, "i", "c"))
    assert told.endswith(".")
    assert not told.startswith("Nothing was started: ")
