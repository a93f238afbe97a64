from edgenas.loaders import image_batches as image_batches
from search_server.client import SearchClient as SearchClient
from search_server.latency.table import LatencyTable as LatencyTable
from search_server.nas.budget.search_caps import DeviceTable as DeviceTable
from search_server.nas.search import search as search
from search_server.search_options import SearchOptions as SearchOptions
from shared.architecture import parse_architecture as parse_architecture
from shared.search_space import search_space as search_space

__all__: list[str]
