"""New ids: UUIDs that nobody can guess, in the order of their time."""

import time
from uuid import RFC_4122, UUID

from integrations.ids import new_id


def test_it_is_a_uuid_of_version_7_that_begins_with_the_time():
    before = int(time.time() * 1000) - 1
    made = UUID(new_id())
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= time.time() * 1000 + 1


def test_the_rest_is_random_in_each_of_its_bits():
    ones = zeros = 0
    for _ in range(200):
        bits = UUID(new_id()).int & ((1 << 80) - 1)
        ones, zeros = ones | bits, zeros | ~bits
    random = ((1 << 80) - 1) & ~(0xF << 76 | 0b11 << 62)
    assert ones & random == random
    assert zeros & random == random
