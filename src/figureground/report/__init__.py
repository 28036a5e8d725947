"""One self-contained HTML file from an audit artifact."""

from figureground.report.page import write_report

__all__ = ["write_report"]
