"""The report: records on disk -> one self-contained HTML file. Knows only files, and imports no torch."""

from __future__ import annotations

from bench.report.page import render

__all__ = ["render"]
