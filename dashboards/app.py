"""Builds and serves the Dash application: the server sends each page complete, then one callback draws it again."""

import socket
from dataclasses import dataclass
from html import escape
from pathlib import Path

import flask
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component
from waitress.server import BaseWSGIServer, MultiSocketServer, create_server
from werkzeug.wrappers import Response as BaseResponse

from dashboards import pages
from dashboards.components.frame import SERVICE_NAME
from dashboards.components.html_text import html_text
from dashboards.errors import DashboardError, StoreUnreadable
from dashboards.exports.csv_file import csv_text
from dashboards.filters import parse, without_empty
from dashboards.headers import content_security_policy, secured
from dashboards.store import PublishedStore, Release, open_published
from dashboards.tables import Table

ASSETS = Path(__file__).parent / "assets"
THREADS = 8
INDEX = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="How many smart meters there are in Great Britain, where, and who fits them.">
<title>{title}</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
{css}
</head>
<body>
<div id="first-view">{first_view}</div>
{app_entry}
{config}
{scripts}
{renderer}
</body>
</html>"""


class AddressUnavailable(DashboardError):
    """The server cannot listen on the host and port."""


class Site(Dash):
    """A Dash application whose index is the whole page, so that it can be read without scripts."""

    published: PublishedStore

    def interpolate_index(self, *_: str, **parts: str) -> str:
        """Returns the page at the request's address as HTML, which Dash replaces with its own version and the chart."""
        view = pages.view(self.published, flask.request.path, _query())
        flask.g.status = view.status
        return INDEX.format(
            title=escape(view.title),
            icon=self.get_asset_url("icon.svg"),
            first_view=html_text(view.body),
            **{name: parts[name] for name in ("css", "app_entry", "config", "scripts", "renderer")},
        )


def _query() -> str:
    return flask.request.query_string.decode("utf-8", "replace")


def _table(release: Release, name: str, search: str) -> Table | None:
    """Returns the table with a name, filtered as on its page, or None if no page has it."""
    for page in pages.PAGES:
        for table in page.tables(release, parse(search, page.filters, release).filters):
            if table.name == name:
                return table
    return None


def _download(store: PublishedStore, name: str) -> flask.Response:
    release = store.release()
    table = _table(release, name, _query()) if release else None
    if release is None or table is None:
        return flask.Response("There is no such file.", status=404, mimetype="text/plain")
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return flask.Response(csv_text(table, release), mimetype="text/csv", headers=headers)


def _without_empty_parameters() -> BaseResponse | None:
    """Redirects to the address without empty parameters, which a form sends for every "all", or returns None."""
    search = _query()
    if flask.request.path in pages.BY_PATH and "=&" in f"{search}&":
        kept = without_empty(search)
        return flask.redirect(flask.request.path + (f"?{kept}" if kept else ""))
    return None


def _finished(response: flask.Response, policy: str) -> flask.Response:
    response.status_code = flask.g.get("status", response.status_code)
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-cache"
    return secured(response, policy)


def _site(store: PublishedStore) -> Site:
    site = Site(
        "dashboards",
        assets_folder=str(ASSETS),
        serve_locally=True,
        title=SERVICE_NAME,
        update_title=None,  # pyright: ignore[reportArgumentType]
        add_log_handler=False,
        enable_mcp=False,
    )
    site.published = store
    site.layout = html.Div([dcc.Location(id="address", refresh=False), html.Div(id="page")])

    def draw(path: str, search: str) -> Component:
        return pages.view(store, path, search or "").body

    site.callback(Output("page", "children"), Input("address", "pathname"), Input("address", "search"))(draw)
    return site


def create_app(store_url: str) -> Site:
    """Makes the site over a store's published tables, opened read-only. Raises StoreUnreadable."""
    store = open_published(store_url)
    store.release()  # loads the release now, so that the first reader does not wait
    site = _site(store)
    server, policy = site.server, content_security_policy(list(site.csp_hashes()))
    server.before_request(_without_empty_parameters)
    server.after_request(lambda response: _finished(response, policy))
    server.add_url_rule("/download/<name>.csv", "download", lambda name: _download(store, name))
    server.register_error_handler(StoreUnreadable, lambda _: ("The figures cannot be read at the moment.", 503))
    return site


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that already holds its port, and answers once it runs."""

    server: BaseWSGIServer | MultiSocketServer
    port: int

    def run(self) -> None:
        """Serves requests until it is interrupted or closed."""
        self.server.run()

    def close(self) -> None:
        """Releases the port."""
        self.server.close()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AddressUnavailable(f"The dashboard cannot listen on {host}:{port}: {reason}.") from error


def listening(store_url: str, host: str, port: int) -> Listening:
    """Makes a production server for the site; port 0 picks a free port.

    Raises StoreUnreadable, and AddressUnavailable if the address is taken or not this machine's.
    """
    app = create_app(store_url)
    bound = _bound(host, port)
    server = create_server(app.server, sockets=[bound], threads=THREADS, ident=None)
    return Listening(server, bound.getsockname()[1])


def serve(store_url: str, host: str = "127.0.0.1", port: int = 8050) -> None:
    """Serves the site until it is interrupted. Raises StoreUnreadable or AddressUnavailable before it starts."""
    listening(store_url, host, port).run()
