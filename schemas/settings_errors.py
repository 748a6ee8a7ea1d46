"""The error of wrong settings, apart from what reads them, which every command would have to import."""

import re
from collections.abc import Iterable


class SettingsError(Exception):
    """The environment is not one to start with. `errors` has one line for each variable that is wrong."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def explained_in(errors: Iterable[str]) -> str:
    """Where it is explained what may stand in place of these errors: of variables, of the senders file, or of both."""
    of_variables = {bool(re.match(r"[A-Z][A-Z0-9_]+\b", error)) for error in errors}
    pages = {True: ".env.example explains each variable", False: "senders.example.toml explains each key of the file"}
    return "; ".join(pages[is_variable] for is_variable in pages if is_variable in of_variables)
