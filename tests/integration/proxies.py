"""nginx and HAProxy in front of a server, streaming or buffering, on connections that are reused."""

import contextlib
import os
import shutil
import subprocess

import httpx
import pytest

from tests.clocks import wait_until
from tests.http_client import HTTP

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream bridge {{ server {upstream}; keepalive 1; }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 10m;
        location /console {{ return 403; }}
        location / {{
            proxy_pass http://bridge;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering {buffering};
        }}
    }}
}}
"""
HAPROXY = """
global
    maxconn 256
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend in
    bind 127.0.0.1:{port}
    {buffering}
    http-request deny if {{ path_beg /console }}
    default_backend bridge
backend bridge
    http-reuse always
    server bridge {upstream} maxconn 1
"""
PROXIES = {
    "nginx streaming": ("nginx", NGINX, "off"),
    "nginx buffering": ("nginx", NGINX, "on"),
    "haproxy streaming": ("haproxy", HAPROXY, ""),
    "haproxy buffering": ("haproxy", HAPROXY, "option http-buffer-request"),
}


@contextlib.contextmanager
def proxied(name, server, folder, port):
    """The proxy of that name in front of the server, until the block ends: its URL."""
    program, template, buffering = PROXIES[name]
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        if os.environ.get("REQUIRE_PROXIES"):
            raise AssertionError(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    config = folder / f"{program}.conf"
    upstream = server.url.removeprefix("http://")
    config.write_text(template.format(folder=folder, port=port, upstream=upstream, buffering=buffering))
    options = ["-c", str(config), "-p", str(folder)] if program == "nginx" else ["-db", "-f", str(config)]
    with subprocess.Popen([found, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_up(f"http://127.0.0.1:{port}", process)
            yield Proxy(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


class Proxy:
    """Where a proxy listens; it stands in for a server."""

    def __init__(self, url):
        self.url = url


def wait_until_up(url, process):
    def answers():
        assert process.poll() is None, "the proxy has ended"
        with contextlib.suppress(httpx.TransportError):
            return HTTP.get(f"{url}/healthz", timeout=5).status_code == 200

    wait_until(answers, "the proxy did not come up")
