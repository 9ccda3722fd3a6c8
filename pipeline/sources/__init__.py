"""Sources: what an operator listed in ``sources.toml`` is fetched into a raw store.

In: the list, and the folder of the raw store. Out: captures of what is new (``pipeline.captures``), and a report with
a row for everything that could not be had. This package is the only part of the pipeline that uses the network and,
handed in, a clock. It reads no article: ``pipeline.readers`` does, from the store.
"""

from pipeline.sources.fetch import FetchReport, fetch
from pipeline.sources.raw_store import RawStoreError
from pipeline.sources.source_list import SourcesError, load_sources

__all__ = ["FetchReport", "RawStoreError", "SourcesError", "fetch", "load_sources"]
