"""The FastAPI app: settings in, routes out. It never imports torch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.gzip import GZipMiddleware

from search_server.clock import Clock, utc_now
from search_server.db.session import Database
from search_server.housekeeping import compact_forever, keep_house_forever
from search_server.leases.bell import LeaseBell, watch_pending_leases
from search_server.operating.collector import HouseBook, ServerCollector
from search_server.rates import RateLimit
from search_server.routes import (
    agents,
    audit,
    checks,
    devices,
    gates,
    health,
    ids,
    install,
    jobs,
    models,
    profiles,
    samples,
    searches,
    tables,
)
from search_server.routes.admission import Admission
from search_server.routes.context import Context
from search_server.routes.documented_errors import document_errors
from search_server.routes.error_answers import install_error_handler
from search_server.routes.request_ids import RequestIds
from search_server.routes.request_limit import RequestLimit
from search_server.routes.request_metrics import API_PREFIX, CountRequests, RequestFigures
from search_server.settings import Settings
from search_server.web import routes as web_routes

ROUTERS = (
    health.router,
    devices.router,
    install.api_router,
    agents.router,
    profiles.router,
    checks.router,
    tables.router,
    samples.router,
    models.router,
    gates.router,
    searches.router,
    ids.router,
    jobs.router,
    audit.router,
)


def create_app(settings: Settings, now: Clock = utc_now, poll_s: float = 1.0) -> FastAPI:
    """Return the app for these settings; the database must be at the newest migration.

    Args:
        settings: the only place from which routes get what an operator set.
        now: the clock.
        poll_s: how often waiting routes look for what another process wrote.
    """
    app = FastAPI(
        title="edgenas",
        summary="On-device latency profiling and hardware-aware architecture search",
        version="1",
        docs_url=None,  # FastAPI's pages load from elsewhere; web/ has one of our own
        redoc_url=None,
        lifespan=_lifespan,
    )
    equip_app(app, settings, now, poll_s)
    app.add_middleware(GZipMiddleware, compresslevel=5)  # event streams stay as they are
    app.add_middleware(RequestLimit, max_bytes=settings.max_request_bytes)
    app.add_middleware(Admission)
    app.add_middleware(CountRequests)
    app.add_middleware(RequestIds)
    install_error_handler(app)
    document_errors(app)
    web_routes.install_unknown_page(app)
    for router in ROUTERS:
        app.include_router(router, prefix=API_PREFIX)
    app.include_router(health.router, include_in_schema=False)
    app.include_router(install.router)
    app.include_router(web_routes.router)
    return app


def equip_app(app: FastAPI, settings: Settings, now: Clock, poll_s: float) -> None:
    """Give an app what its routes work with: database, data folder, clock, limits."""
    database = Database(settings.url)
    bell = LeaseBell()
    bell.attach(database)
    app.state.database = database
    registry, house = CollectorRegistry(), HouseBook()
    registry.register(ServerCollector(database, settings.data, house, now))
    app.state.context = Context(
        data_dir=settings.data,
        store=settings.job_store,
        bell=bell,
        metrics=registry,
        figures=RequestFigures.of(registry),
        house=house,
        retention=timedelta(days=settings.retention_days) if settings.retention_days else None,
        now=now,
        poll_s=poll_s,
        max_queued_jobs=settings.max_queued_jobs,
        requests=RateLimit(settings.max_requests_per_minute, 60),
        imports=RateLimit(settings.max_import_bytes_per_hour, 3600),
        data_roots=settings.image_roots,
        teachers=settings.teachers,
        public_url=settings.public_url,
    )


def end_waiting(app: FastAPI) -> None:
    """Let all long polls and event streams end, so that the server can stop without cutting them off."""
    context: Context = app.state.context
    context.stopping.set()
    context.bell.ring_all()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    database: Database = app.state.database
    context: Context = app.state.context
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch_pending_leases, database, context.bell, context.poll_s)
        tasks.start_soon(
            keep_house_forever, database, context.data_dir, context.store, context.now, context.house
        )
        if context.retention is not None:
            tasks.start_soon(compact_forever, database, context.store, context.retention, context.now)
        yield
        tasks.cancel_scope.cancel()
    database.close()
