"""cobrowse-bridge sandbox: a Genesys Cloud on this machine."""

import click

from commands.group import Command, Failure
from commands.terminal import echo, echo_json_line, echo_unwrapped
from sandbox.faults import OPERATIONS
from sandbox.options import APIS
from sandbox.server import Sandbox, serve
from web.listen_address import explain


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(0, 65_535), default=9099, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--api", type=click.Choice(APIS), default="both", envvar="SANDBOX_API", show_default=True)
@click.option(
    "--rate-limit", type=click.IntRange(0), default=300, show_default=True, help="Calls a minute for each token."
)
@click.option("--auto-create", is_flag=True, help="Treat every requested conversation id as an active webchat.")
@click.option(
    "--user-required",
    multiple=True,
    type=click.Choice(OPERATIONS),
    metavar="OPERATION",
    help="Demand a user's token for this call, such as attach.",
)
@click.option("--allow-remote", is_flag=True, help="Listen on an address that other machines reach.")
@click.option("--json", "as_json", is_flag=True, help="Print where it is as JSON on one line, and nothing else.")
def sandbox(
    port: int,
    host: str,
    api: str,
    rate_limit: int,
    auto_create: bool,
    user_required: tuple[str, ...],
    allow_remote: bool,
    as_json: bool,
) -> None:
    """Run a simulated Genesys Cloud on this machine. Needs no settings."""

    def ready(genesys: Sandbox) -> None:
        if as_json:
            echo_json_line({"url": genesys.url, "clientId": "sandbox", "clientSecret": "sandbox-secret"})
            return
        echo_unwrapped(f"Genesys Cloud, the sandbox, is on {genesys.url} (client id sandbox, secret sandbox-secret).")
        echo_unwrapped(f"  export SANDBOX=true GENESYS_API_URL={genesys.url} GENESYS_LOGIN_URL={genesys.url}")
        echo_unwrapped("  to act as a user: export GENESYS_USER_CLIENT_ID=sandbox-user, then cobrowse-bridge login")
        echo_unwrapped("  calls received: GET /sandbox/calls    faults: POST /sandbox/faults    Ctrl-C stops it")

    options = {"api": api, "rate_limit": rate_limit or None, "auto_create": auto_create, "user_required": user_required}
    try:
        serve(host, port, allow_remote=allow_remote, ready=ready, **options)
    except ValueError as error:
        hint = "--allow-remote lets other machines reach it."
        raise Failure(f"The sandbox can't listen on {host}:{port}: {error}", hint) from None
    except OSError as error:
        cause, hint = explain(host, port, error, host_name="--host", port_name="--port")
        raise Failure(f"The sandbox has not started: {cause}.", hint) from None
    except KeyboardInterrupt:
        if not as_json:
            echo("The sandbox has stopped.")
