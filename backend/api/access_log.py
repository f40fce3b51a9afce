"""What the server logs of every request: never a query, which may hold a signature."""

import logging
from collections.abc import Callable
from typing import Any

_PATH = 2


def cut_query(record: logging.LogRecord) -> bool:
    """Cut the query off the path in a record of uvicorn's access log.

    Parameters
    ----------
    record : LogRecord
        Its arguments are client, method, path with query, HTTP version and status.

    Returns
    -------
    bool
        True; every request is logged.
    """
    if isinstance(record.args, tuple) and len(record.args) > _PATH:
        arguments = list(record.args)
        arguments[_PATH] = str(arguments[_PATH]).partition("?")[0]
        record.args = tuple(arguments)
    return True


def log_config(level: str) -> dict[str, Any]:
    """Return how the server logs.

    Parameters
    ----------
    level : str
        For example "INFO".

    Returns
    -------
    dict
        For `uvicorn.run(..., log_config=...)` and `logging.config.dictConfig`.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"without_query": {"()": _query_filter}},
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "access": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["without_query"],
            },
        },
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "uvicorn.access": {"level": level, "handlers": ["access"], "propagate": False},
            # One line for each request to Label Studio would say nothing.
            "httpx2": {"level": "WARNING"},
        },
    }


def _query_filter() -> Callable[[logging.LogRecord], bool]:
    return cut_query
