"""The log file."""

from concurrent_log_handler import ConcurrentRotatingFileHandler

from endy.observability.discreet import Discreet


class LogFile(Discreet, ConcurrentRotatingFileHandler):
    """Rotates under a lock beside the file, so that several processes on one machine may share it."""
