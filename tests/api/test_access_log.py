"""A log holds no signature."""

import logging
from logging.config import dictConfig

import pytest

from backend.api.access_log import cut_query, log_config


class TestAccessLog:
    @pytest.fixture
    def record(self) -> logging.LogRecord:
        arguments = ("1.2.3.4:5", "GET", "/images/a.png?expires=1&signature=beef", "1.1", 200)
        return logging.LogRecord(
            "uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', arguments, None
        )

    def test_leaves_the_query_out(self, record: logging.LogRecord) -> None:
        assert cut_query(record)
        assert record.getMessage() == '1.2.3.4:5 - "GET /images/a.png HTTP/1.1" 200'

    def test_is_set_up_that_way(
        self, record: logging.LogRecord, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = logging.getLogger().handlers[:], logging.getLogger().level
        dictConfig(log_config("INFO"))
        logging.getLogger("uvicorn.access").handle(record)
        for handler in logging.getLogger("uvicorn.access").handlers[:]:
            logging.getLogger("uvicorn.access").removeHandler(handler)
        logging.getLogger("uvicorn.access").propagate = True
        logging.getLogger().handlers[:], logging.getLogger().level = before
        written = capsys.readouterr().err
        assert "/images/a.png" in written
        assert "beef" not in written
