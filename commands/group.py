"""What every command shares: the --env-file option, and errors printed as a cause and a hint."""

import errno
import shlex
from collections.abc import Sequence
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError
from dotenv import load_dotenv

from commands.terminal import discard_output, echo_error
from schemas.env_file import EnvFileError, env_file_text
from schemas.settings_errors import SettingsError, explained_in


class Failure(click.ClickException):
    """Ends a command with exit status 1: prints a cause and a hint."""

    def __init__(self, cause: str, hint: str = "") -> None:
        super().__init__(cause)
        self.hint = hint


# The option that every command has.
ENV_FILE: dict[str, Any] = {
    "type": click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    "help": "Read the settings from this file in place of ./.env.",
}


class Misplaced(click.UsageError):
    """An option of a command's that stands before the command's name; the hint has the words in their order."""

    def __init__(self, option: str, words: Sequence[str], ctx: click.Context) -> None:
        super().__init__(f"{option} belongs after the command's name.", ctx)
        self.hint = f"{ctx.command_path} {shlex.join(words)}"


class Command(click.Command):
    """A command that reads `.env` of the working folder, or the file that `--env-file` names, before it begins."""

    def __init__(self, name: str | None, **attributes: object) -> None:
        super().__init__(name, **attributes)  # type: ignore[arg-type]  # click's own, handed on as they came
        self.params.append(
            click.Option(
                ["--env-file"],
                expose_value=False,
                is_eager=True,
                callback=lambda _context, _parameter, env_file: load_environment(env_file),
                **ENV_FILE,
            )
        )


class Group(click.Group):
    """Commands by name. Those of `rows`, as `module:attribute`, are imported at their first use."""

    command_class = Command

    def __init__(self, name: str | None = None, rows: dict[str, str] | None = None, **attributes: object) -> None:
        super().__init__(name, **attributes)  # type: ignore[arg-type]  # click's own, handed on as they came
        self._rows = rows or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        return [*self._rows, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, None if there is none."""
        if cmd_name not in self._rows:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._rows[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does. Raises Misplaced for an option that stands before the command which takes it."""
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if in_order := self._in_order(ctx, words, error.option_name):
                raise Misplaced(error.option_name, in_order, ctx) from None
            raise

    def _in_order(self, ctx: click.Context, words: Sequence[str], option: str) -> list[str]:
        """The words with the command's name first; none if they name no command that takes the option."""
        for place in range(len(words)):
            command: click.Command = self
            end = place
            while end < len(words) and isinstance(command, click.Group):
                inner = command.get_command(ctx, words[end])
                if inner is None:
                    break
                command, end = inner, end + 1
            taken = next((each for each in command.params if option in each.opts), None)
            is_value = place and words[place - 1] == option and not getattr(taken, "is_flag", False)
            if end > place and taken and not is_value:
                return [*words[place:end], *words[:place], *words[end:]]
        return []


def load_environment(env_file: Path | None) -> None:
    """Add the file's variables to the process's; those that are already set win. Failure if it can't be read."""
    file = env_file or Path(".env")
    try:
        load_dotenv(stream=StringIO(env_file_text(file)))
    except EnvFileError as error:
        raise Failure(f"{error}.", "Write NAME=value lines, as .env.example shows.") from None


def run(program: Group, arguments: Sequence[str] | None = None) -> int:
    """Run the command that these arguments name, or the process's own: its exit status.

    1 is a failure, 2 is wrong usage or wrong settings.
    """
    try:
        return int(program.main(arguments, prog_name=program.name, standalone_mode=False) or 0)
    except SettingsError as error:
        echo_error("Invalid configuration", *error.errors, hint=f"{explained_in(error.errors)}.")
        return 2
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "cobrowse-bridge"
        echo_error(error.format_message(), hint=getattr(error, "hint", f"{command} --help lists what it takes."))
        return error.exit_code
    except click.ClickException as error:
        echo_error(error.format_message(), hint=getattr(error, "hint", ""))
        return error.exit_code
    except click.Abort:
        return 130
    except OSError as error:
        if error.errno == errno.EPIPE:
            discard_output()
        else:
            echo_error(str(error), hint="The operating system reports it: check this file, folder or port.")
        return 1
