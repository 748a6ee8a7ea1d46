"""The command line in processes of its own, without the half second that importing the service takes each time.

One process has imported what commands use, and each command runs in a fork of it: with its own environment, folder and
exit status, as `python cli.py …` would. What commands print with is not among it, for that reads the environment when
it is imported. Run as a module, this is that process.
"""

import atexit
import gc
import json
import os
import runpy
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLI = str(ROOT / "cli.py")
IMPORTED = (
    "app",
    "click",
    "diagnostics",
    "dotenv",
    "rich.console",
    "rich.table",
    "settings",
    "integrations.ledger.sqlite",
)


class Forks:
    """Runs commands one after the other, until it is closed."""

    def __init__(self, folder):
        self._out, self._err = folder / "stdout", folder / "stderr"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *words, cwd, env, stdin=os.devnull):
        """What `python cli.py` with these words has printed, and its status."""
        for path in (self._out, self._err):
            path.write_text("")
        paths = {"in": str(stdin), "out": str(self._out), "err": str(self._err)}
        command = {"words": words, "cwd": str(cwd), "env": env, **paths}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(words, status, self._out.read_text(), self._err.read_text())

    def printed(self):
        """What the command that runs, in another thread, has printed so far."""
        return self._out.read_text()

    def close(self):
        self._process.communicate()


def serve():
    """Run the commands that come in, a line of JSON each; a line with its status for each that has ended."""
    for line in sys.stdin:
        command = json.loads(line)
        if (child := os.fork()) == 0:
            os._exit(become(command, run_command))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def run_command():
    runpy.run_path(CLI, run_name="__main__")


def become(command, run):
    """Be this command until it exits: its status. What is left to do is to end, without cleaning up what it shares."""
    for descriptor, (name, flags) in enumerate(
        (
            (command["in"], os.O_RDONLY),
            (command["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
            (command["err"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        )
    ):
        opened = os.open(name, flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["env"])
    sys.argv = [CLI, *command["words"]]
    try:
        run()
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter ends a program that has not caught it
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    gc.freeze()  # no fork collects, and so copies, what it shares with the others
    serve()
