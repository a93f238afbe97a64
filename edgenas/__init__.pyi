from edgenas.loaders import image_batches as image_batches
from search_server.client import AsyncSearchClient as AsyncSearchClient
from search_server.client import SearchClient as SearchClient
from search_server.latency.table import LatencyTable as LatencyTable
from search_server.nas.budget.search_caps import DeviceTable as DeviceTable
from search_server.nas.search import search as search
from search_server.resources.latencies import MeasurementCreate as MeasurementCreate
from search_server.resources.latencies import PredictionCreate as PredictionCreate
from search_server.resources.searches import SearchCreate as SearchCreate
from search_server.resources.tables import ProfileCreate as ProfileCreate
from search_server.search_options import SearchOptions as SearchOptions
from shared.architecture import parse_architecture as parse_architecture
from shared.protocol.device import Conditions as Conditions
from shared.search_space import search_space as search_space

__all__: list[str]
