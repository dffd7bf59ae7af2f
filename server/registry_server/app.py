"""The application: where catalog, blob store and routes are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from registry_server.blobs.folder import FolderBlobStore
from registry_server.catalog.engine import SqliteEngine
from registry_server.routes import api, errors, hub, lfs, web, xet
from registry_server.routes import comparisons as comparisons  # whose routes are part of api and web
from registry_server.routes import governance as governance  # whose routes are part of api
from registry_server.routes import ledger as ledger  # whose routes are part of api and web
from registry_server.routes import reports as reports  # whose routes are part of api and web
from registry_server.routes.addresses import KeepEncodedSlashes, LateConverter, RepoKindConverter, TextConverter
from registry_server.routes.requests import finish_response
from registry_server.settings import Settings
from registry_server.usecases import accounts
from registry_server.usecases.context import Registry

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def open_registry(settings: Settings) -> Registry:
    """The registry in a data folder, with its schema up to date."""
    engine = SqliteEngine(settings.catalog_path)
    engine.migrate()
    return Registry(engine, FolderBlobStore(settings.blobs_path), settings)


def create_app(settings: Settings) -> Flask:
    """The application of one registry. On the first start it makes the administrator."""
    registry = open_registry(settings)
    accounts.ensure_admin(registry)
    return app_of(registry)


def app_of(registry: Registry) -> Flask:
    """The application over stores that are already open."""
    app = Flask("registry_server")
    app.extensions["registry"] = registry
    app.url_map.strict_slashes = False
    app.url_map.converters.update(
        kind=RepoKindConverter, text=TextConverter, rest=TextConverter.of_paths(), late=LateConverter
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for part in (hub, lfs, xet, api, web):
        app.register_blueprint(part.blueprint)
    errors.register(app)
    app.after_request(finish_response)
    app.wsgi_app = _behind_proxies(KeepEncodedSlashes(app.wsgi_app), registry.settings)  # type: ignore[method-assign,assignment]
    return app


def _behind_proxies(wsgi_app: WSGIApplication, settings: Settings) -> WSGIApplication:
    if not settings.trusted_proxies:
        return wsgi_app
    from werkzeug.middleware.proxy_fix import ProxyFix

    hops = settings.trusted_proxies
    return ProxyFix(wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)
