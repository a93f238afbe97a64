"""Under which conditions a device can measure, and the refusal of others in words that list what it has."""

from search_server.db.models import DeviceRow
from search_server.devices.registry import device_facts
from search_server.errors import ConflictError, InvalidValueError
from shared.protocol.device import Conditions, Device, RuntimeInfo
from shared.runtimes import RUNTIMES, usual_accelerator


def require_support(row: DeviceRow, conditions: Conditions) -> None:
    """Refuse conditions under which a device cannot measure.

    Raises:
        ConflictError: the device has no agent: a table was imported for it.
        InvalidValueError: it lacks the runtime, its version, the dtype, the accelerator, or a core for
            each thread, or the runtime runs no batch of this size.
    """
    if row.is_imported:
        raise ConflictError(
            "device_has_no_agent",
            f"device {row.name!r} is known from an imported table only: nothing can be measured on it; "
            "predict and search with its table, or enrol a device of this kind",
        )
    device = device_facts(row)
    runtime = _required_runtime(row.name, device, conditions)
    if conditions.dtype not in runtime.dtypes:
        raise InvalidValueError(
            "unsupported_dtype",
            f"{runtime.name} on device {row.name!r} runs {', '.join(runtime.dtypes)}, "
            f"not {conditions.dtype}",
        )
    _require_accelerator(row.name, runtime, conditions)
    known = RUNTIMES.get(runtime.name)
    if known is not None and conditions.batch > (known.max_batch or conditions.batch):
        raise InvalidValueError(
            "unsupported_batch",
            f"{runtime.name} runs batch {known.max_batch} at most, not {conditions.batch}; ask for less",
        )
    _require_cores(row.name, device, conditions)


def require_table_support(row: DeviceRow, conditions: Conditions) -> None:
    """Refuse conditions under which no latency table of a device can be made.

    Raises:
        ConflictError: the device has no agent.
        InvalidValueError: the device cannot measure under them, or what computes does not tell the times of
            segments.
    """
    require_support(row, conditions)
    wanted = conditions.accelerator or usual_accelerator(conditions.runtime)
    known = RUNTIMES.get(conditions.runtime)
    if known is None or wanted in known.tables_by:
        return
    runtime = _required_runtime(row.name, device_facts(row), conditions)
    raise InvalidValueError(
        "unsupported_accelerator",
        f"{runtime.name} does not tell the times of segments on {wanted}, so no table can be made; of what "
        f"device {row.name!r} offers ({', '.join(_offered(runtime))}), tables are made on "
        f"{', '.join(known.tables_by)}. Whole networks can be measured on {wanted}: edgenas measure",
    )


def is_supported(row: DeviceRow, conditions: Conditions) -> bool:
    """Tell whether a device can measure under conditions."""
    try:
        require_support(row, conditions)
    except (ConflictError, InvalidValueError):
        return False
    return True


def _required_runtime(name: str, device: Device, conditions: Conditions) -> RuntimeInfo:
    runtime = next((known for known in device.runtimes if known.name == conditions.runtime), None)
    if runtime is None:
        names = ", ".join(f"{known.name} {known.version}" for known in device.runtimes) or "none"
        raise InvalidValueError(
            "unsupported_runtime",
            f"device {name!r} has no runtime {conditions.runtime!r}; it has {names}. Install it there "
            "and start the agent again, or name one of these with --runtime",
        )
    if conditions.runtime_version not in (None, runtime.version):
        raise InvalidValueError(
            "unsupported_runtime",
            f"device {name!r} has {runtime.name} {runtime.version}, not {conditions.runtime_version}",
        )
    return runtime


def _require_accelerator(name: str, runtime: RuntimeInfo, conditions: Conditions) -> None:
    wanted = conditions.accelerator or usual_accelerator(runtime.name)
    offered = _offered(runtime)
    if wanted not in offered:
        raise InvalidValueError(
            "unsupported_accelerator",
            f"device {name!r} offers {', '.join(offered)} on {runtime.name}, not {wanted}; ask for "
            "one of these. What a driver or another build adds counts when the agent starts again",
        )


def _offered(runtime: RuntimeInfo) -> tuple[str, ...]:
    return runtime.accelerators or (usual_accelerator(runtime.name),)


def _require_cores(name: str, device: Device, conditions: Conditions) -> None:
    usable = device.usable_cores
    num_cores = len(conditions.cores or usable)
    if conditions.threads > num_cores or not set(conditions.cores) <= set(usable):
        numbers = ",".join(map(str, usable))
        raise InvalidValueError(
            "unsupported_cores",
            f"device {name!r} can measure on {len(usable)} of its {device.num_cores} cores "
            f"({numbers}); asked for {conditions.threads} threads on cores "
            f"{','.join(map(str, conditions.cores)) or 'of its own choice'}. Each thread needs a core: ask "
            "for fewer threads or other cores; or allow the agent more cores and start it again",
        )
