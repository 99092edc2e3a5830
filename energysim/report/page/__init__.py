"""The report page: results, trained models and claims in one HTML file (docs/report.md)."""

from energysim.report.page.render import report_page
from energysim.report.page.sources import Sources, read_sources

__all__ = ["Sources", "read_sources", "report_page"]
