"""Dagster's log on a terminal: one line for what an asset says of itself, and every warning and error. No event noise."""

import logging
import sys
import time

import dagster as dg

# Which steps a failed one holds back: the report after the run says it once, in words.
_NOISE = "Dependencies for step"
_RED, _YELLOW, _PLAIN = "\033[31m", "\033[33m", "\033[0m"


class ProgressHandler(logging.Handler):
    """Writes `seconds  message` to stderr for messages of assets; Dagster's own events are in the UI and the event log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._started = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", None) or {}
        if getattr(record, "dagster_event", None) is not None or meta.get("dagster_event") is not None:
            return
        text = meta.get("orig_message") or record.getMessage()
        if text.startswith(_NOISE):
            return
        color = _RED if record.levelno >= logging.ERROR else _YELLOW if record.levelno >= logging.WARNING else ""
        if color and sys.stderr.isatty():
            text = f"{color}{text}{_PLAIN}"
        sys.stderr.write(f"{time.monotonic() - self._started:6.1f}s  {text}\n")
        sys.stderr.flush()


def _terminal_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    # Not logging.getLogger: a logger of its own, so that no other handler prints the same lines again.
    logger = logging.Logger("tessera.terminal", logging.INFO)
    logger.addHandler(ProgressHandler())
    return logger


TERMINAL_LOGGER = dg.LoggerDefinition(_terminal_logger, description="Progress lines on stderr")
