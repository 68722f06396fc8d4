"""The report: records on disk -> one self-contained HTML file. Knows only files, and imports no torch."""

from bench.report.render import render

__all__ = ["render"]
