"""The parts of dlt that extraction uses, imported late (a second) and silenced: no telemetry, no log of rows.

dlt's pipelines, state and destinations are not used: the lake's manifests are the only record of what is landed (see
docs/decisions/0014-extraction.md). How a table is read belongs in `database`, a REST API in `api`.
"""

from __future__ import annotations

import os

# Before the first import of dlt: it asks for its settings then.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")  # dlt's warnings quote values

from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.client import PageData, RESTClient
from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    HeaderLinkPaginator,
    JSONLinkPaginator,
    JSONResponseCursorPaginator,
    OffsetPaginator,
    PageNumberPaginator,
    SinglePagePaginator,
)
from dlt.sources.sql_database import TableLoader

__all__ = [
    "BasePaginator",
    "BearerTokenAuth",
    "HeaderLinkPaginator",
    "JSONLinkPaginator",
    "JSONResponseCursorPaginator",
    "OffsetPaginator",
    "PageData",
    "PageNumberPaginator",
    "RESTClient",
    "RuntimeConfiguration",
    "SinglePagePaginator",
    "TableLoader",
]
