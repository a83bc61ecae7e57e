"""PACER for Elasticsearch and OpenSearch: ICAT's datasets as documents."""

from pacer_elastic.client import Elastic
from pacer_elastic.integration import ELASTIC
from pacer_elastic.logs import LOG_HANDLER, ElasticHandler, LogOptions
from pacer_elastic.options import ElasticOptions
from pacer_elastic.tasks import (
    DATASET_INDEX,
    DatasetIndex,
    index_counted_dataset,
    index_linked_dataset,
    index_stored_dataset,
    reindex_investigation,
)

__all__ = [
    "DATASET_INDEX",
    "ELASTIC",
    "LOG_HANDLER",
    "DatasetIndex",
    "Elastic",
    "ElasticHandler",
    "ElasticOptions",
    "LogOptions",
    "index_counted_dataset",
    "index_linked_dataset",
    "index_stored_dataset",
    "reindex_investigation",
]
