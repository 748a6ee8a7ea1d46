"""Templates compiled once in this process, whichever of its apps renders them."""

from jinja2 import BytecodeCache


class CompiledTemplates(BytecodeCache):
    """Keeps each template's code by its file and content."""

    def __init__(self):
        self._codes = {}

    def load_bytecode(self, bucket):
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket):
        self._codes[bucket.key, bucket.checksum] = bucket.code
