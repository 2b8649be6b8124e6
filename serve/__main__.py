"""Runs the server as the environment says: ``python -m serve``; with ``--help`` lists it all."""

import argparse
import sys
from contextlib import suppress

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from serve.http import logs
from serve.http.draining import DrainingWorkers
from serve.http.settings import Settings, SettingsError, describe_settings, read_settings


def main() -> None:
    """Serve until told to stop; exit with a message if a setting cannot be used."""
    argparse.ArgumentParser(
        prog="python -m serve",
        description="Serve the models. The environment says how [default]:\n\n"
        + describe_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.exit(f"the server cannot start: {error}")
    logs.configure(settings)
    run(settings)


def run(settings: Settings) -> None:
    """Serve with as many processes as the settings say, sharing the port."""
    config = uvicorn.Config(
        "serve.http.app:app",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http="serve.http.draining:DrainingProtocol",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    if settings.workers > 1:
        DrainingWorkers(config, [config.bind_socket()]).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    main()
