"""One self-contained HTML file from an audit, a loop or the answers of a classifier."""

from figureground.report.page import write_report

__all__ = ["write_report"]
