"""roadwire: news text in, typed tables of companies, autonomy levels, places and deals out."""

__version__ = "0.1.0"
SCHEMA_VERSION = "1.0.0"
