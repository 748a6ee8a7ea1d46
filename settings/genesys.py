"""The settings of the way to Genesys Cloud, a line each: name, type, default, help."""

from dataclasses import dataclass

from marshmallow.validate import Range

from cobrowse.model import Secret
from integrations.genesys.flows import AUTO, MODES
from integrations.genesys.grants import AUTO as GRANT_AUTO
from integrations.genesys.grants import GRANTS
from integrations.genesys.user_login import UserClient
from integrations.regions import REGIONS, region_of
from schemas.environment import choice, proxy_url, readable_file, redirect_uri, safe_url, setting


def without_slash(url: str) -> str:
    """The URL without slashes at its end."""
    return url.rstrip("/")


@dataclass(frozen=True, slots=True)
class GenesysSettings:
    """The org, its hosts and clients, and what is started and ended there."""

    genesys_client_id: str = setting(
        "",
        "The OAuth client: Admin, Integrations, OAuth, grant type client credentials (docs/genesys-setup.md).",
        section="Genesys Cloud",
        essential=True,
    )
    genesys_client_secret: Secret = setting(Secret(), "The OAuth client's secret.", essential=True)
    genesys_grant: str = setting(
        GRANT_AUTO,
        "Whose token calls go out with. `client_credentials`: the OAuth client's. `service_user`: that of the user who "
        "has run `cobrowse-bridge login`. `auto`: the client's, and the user's for the operations that Genesys refuses "
        "to a client for lack of a user (docs/genesys-setup.md#act-as-a-user).",
        choice(*GRANTS),
    )
    genesys_user_client_id: str = setting(
        "",
        "A second OAuth client, grant type code authorization, through which a service user logs in; without it there "
        "is none.",
    )
    genesys_user_client_secret: Secret = setting(
        Secret(), "Its secret. Without one the client is public, and the login uses PKCE."
    )
    genesys_user_redirect_uri: str = setting(
        "http://localhost:8765/callback",
        "The redirect URI of that client, exactly as Genesys has it; `login` listens there if it is on loopback.",
        redirect_uri,
    )
    genesys_region: str = setting(
        "mypurecloud.com",
        "The org's region: its host in any case, with `https://`, `api.`, `login.` or `apps.` or not, AWS's name "
        "(`us-east-1`) or Genesys's (`prod-euw2`, `usw2`).",
        essential=True,
        normalise=lambda region: region_of(region or "mypurecloud.com"),
    )
    sandbox: bool = setting(
        False,
        "`true`: Genesys is a sandbox (`cobrowse-bridge sandbox`), which must identify itself as one. Needs no "
        "OAuth client and no `API_KEYS`; without keys the service is open to all callers, so it listens on "
        "loopback only.",
    )
    genesys_api_url: str = setting(
        "",
        "A gateway or a sandbox instead of `https://api.{region}`; http for loopback only.",
        safe_url,
        example="http://127.0.0.1:9099",
        normalise=without_slash,
    )
    genesys_login_url: str = setting(
        "", "The same for `https://login.{region}`.", safe_url, example="http://127.0.0.1:9099", normalise=without_slash
    )
    genesys_ca_file: str = setting("", "A file of additional trusted CA certificates, for a gateway.")
    genesys_proxy: Secret = setting(
        Secret(),
        "A forward proxy for all calls to Genesys, http or https, with a user and password if it requires them; "
        "the commands and `doctor` use it too, and `HTTPS_PROXY` is not read.",
        proxy_url,
        example="http://user:password@proxy.example.com:3128",
    )
    no_proxy: str = setting(
        "", "Hosts reached without it, with commas: names (with their subdomains), addresses, networks; `*` is all."
    )
    genesys_client_cert: str = setting(
        "", "A PEM file with the client certificate for a gateway that requires one.", readable_file
    )
    genesys_client_key: str = setting("", "A PEM file with its key, if the certificate's file has none.", readable_file)
    max_upstream_bytes: int = setting(
        8_388_608,
        "Most bytes of a Genesys response, unpacked; a larger one is `genesys_bad_response`, which names this setting. "
        "A conversation with thousands of messages has a few million. A worker that reads one takes up to eight times "
        "its bytes of memory, one conversation at a time.",
        Range(65_536, 1 << 30),
    )
    cobrowse_flow: str = setting(
        AUTO,
        "`media`: create, attach. `native`: one call, as in Genesys's published API. `auto`: media unless the "
        "org lacks it (docs/genesys-setup.md#which-flow-your-org-has).",
        choice(*MODES),
    )

    end_media_sessions: bool = setting(
        False,
        "Whether an end tries the native flow's call on a session of the media flow, which is not confirmed "
        "(docs/lifecycle.md#end).",
    )
    participant_data: bool = setting(
        False,
        "Whether a start writes its links, code and id into the customer's participant data where the request does "
        "not say; anyone with access to the interaction's data can see them (docs/lifecycle.md#hand-over).",
    )

    @property
    def api_url(self) -> str:
        """Where Genesys's Platform API is."""
        return self.genesys_api_url or f"https://api.{self.genesys_region}"

    @property
    def apps_url(self) -> str:
        """Where Genesys's own pages are; "" for a region that is not known, behind a gateway."""
        return f"https://apps.{self.genesys_region}" if self.genesys_region in REGIONS else ""

    @property
    def login_url(self) -> str:
        """Where Genesys's tokens come from."""
        return self.genesys_login_url or f"https://login.{self.genesys_region}"

    @property
    def user_client(self) -> UserClient | None:
        """The OAuth client through which a service user logs in, if there is one."""
        client_id, secret = self.genesys_user_client_id, self.genesys_user_client_secret
        return UserClient(self.login_url, client_id, secret, self.genesys_user_redirect_uri) if client_id else None
