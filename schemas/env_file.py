"""The text of a file such as .env: NAME=value lines, as the commands and the service read them."""

from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream


class EnvFileError(ValueError):
    """A .env that can't be read; the text names it and says why, and shows nothing of its content."""


def env_file_text(path: Path) -> str:
    """The file's text, "" if there is none. EnvFileError if it is unreadable, or a line of it is of another form.

    Such a line is refused, since the setting that it was to be would be missing.
    """
    try:
        text = path.read_text("utf-8-sig") if path.exists() and not path.is_dir() else ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text in UTF-8"
        raise EnvFileError(f"{path} can't be read: {why}") from None
    found = [each.original for each in parse_stream(StringIO(text)) if each.error]
    # The blank lines before a line are a part of it.
    wrong = [str(each.line + len(each.string.split("\n")) - len(each.string.lstrip().split("\n"))) for each in found]
    if wrong:
        lines = f"line {wrong[0]} is" if len(wrong) == 1 else f"lines {', '.join(wrong[:5])} are"
        raise EnvFileError(f"{path} can't be read: {lines} not of the form NAME=value")
    return text
