"""The figures of a search by the names that TensorBoard, MLflow and Weights & Biases show."""

from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchStep


def step_figures(step: SearchStep) -> dict[str, float]:
    """Return the figures of a step."""
    figures: dict[str, float | None] = {
        "loss/weights": step.weight_loss,
        "loss/theta": step.theta_loss,
        "accuracy": step.accuracy,
        "latency/expected_ms": step.expected_latency_us / 1000,
        "theta/entropy": step.entropy,
        "theta/tau": step.tau,
        "speed/images_per_s": step.images_per_s,
        "memory/peak_bytes": step.peak_memory_bytes,
    }
    figures |= {f"load/{cost.name}": cost.expected / cost.limit for cost in step.costs}
    return _known(figures)


def found_figures(found: FoundArchitecture) -> dict[str, float]:
    """Return the figures of the network that a search delivers."""
    figures: dict[str, float | None] = {
        "found/predicted_ms": found.predicted_us / 1000,
        "found/measured_ms": None if found.measured_us is None else found.measured_us / 1000,
        "found/validation_accuracy": found.validation_accuracy,
        "found/test_accuracy": found.test_accuracy,
        "found/macs": found.macs,
        "found/params": found.params,
    }
    return _known(figures)


def _known(figures: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value is not None}
