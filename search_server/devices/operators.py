"""Whether a device's agent knows the operators of a search space."""

from search_server.db.models import DeviceRow
from search_server.devices.registry import device_facts
from search_server.errors import ConflictError
from shared.protocol.measurement import NEW_OPERATORS_PROTOCOL
from shared.search_space import SearchSpace
from shared.workload import is_old


def require_operators(row: DeviceRow, space: SearchSpace) -> None:
    """Refuse a space whose blocks a device's agent is too old for.

    Raises:
        ConflictError: it is.
    """
    if device_facts(row).protocol_max >= NEW_OPERATORS_PROTOCOL:
        return
    if not all(is_old(placed.segment) for placed in space.segments()):
        raise ConflictError(
            "agent_too_old",
            f"the agent of device {row.name!r} does not know the blocks of space {space.name!r}; type the "
            "line that 'edgenas devices add' shows on the device, which upgrades it",
        )
