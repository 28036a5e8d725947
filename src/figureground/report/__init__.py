"""One self-contained HTML file from an audit or a loop artifact."""

from figureground.report.page import write_report

__all__ = ["write_report"]
