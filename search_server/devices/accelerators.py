"""Which accelerators a device offers, and the refusal of the others in words."""

from search_server.errors import InvalidValueError
from shared.protocol.device import Conditions, RuntimeInfo
from shared.runtimes import usual_accelerator


def require_accelerator(device_name: str, runtime: RuntimeInfo, conditions: Conditions) -> None:
    """Return if a runtime of a device can compute by the accelerator of the conditions.

    Raises:
        InvalidValueError: it cannot; the message lists what it offers.
    """
    usual = usual_accelerator(runtime.name)
    offered = runtime.accelerators or (usual,)
    wanted = conditions.accelerator or usual
    if wanted not in offered:
        raise InvalidValueError(
            "unsupported_accelerator",
            f"device {device_name!r} offers {', '.join(offered)} on {runtime.name}, not {wanted}; ask for "
            "one of these. What a driver or another build adds counts when the agent starts again",
        )
