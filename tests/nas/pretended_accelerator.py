"""An accelerator for machines without one: tensors that say they are elsewhere, and compute on the CPU.

Like a real one it refuses an operator that is given tensors of both places, so a search that runs on it has
put each tensor where it belongs; and since it computes what the CPU computes, it ends with the same bits.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

ACCELERATOR = torch.device("meta")
"""A place that torch knows on every machine; nothing else here puts tensors there."""

_aten = torch.ops.aten
_MOVES = {_aten._to_copy.default, _aten.copy_.default}


class ElsewhereTensor(Tensor):
    """A tensor of the pretended accelerator around one of the CPU."""

    at_home: Tensor

    @staticmethod
    def __new__(cls: type["ElsewhereTensor"], inner: Tensor) -> "ElsewhereTensor":
        made: ElsewhereTensor = Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=ACCELERATOR,
        )
        made.at_home = inner
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # the stubs have a function without its class
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class PretendedAccelerator(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """While it is entered, moves to ``ACCELERATOR`` and tensors made there work."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)]
    outer_of = {id(each.at_home): each for each in tensors if isinstance(each, ElsewhereTensor)}
    at_home = [each for each in tensors if not isinstance(each, ElsewhereTensor) and each.ndim]
    if outer_of and at_home and func not in _MOVES:
        raise RuntimeError(f"{func} is given tensors of the accelerator and of the CPU")
    is_elsewhere = bool(outer_of)
    if kwargs.get("device") is not None:
        is_elsewhere = torch.device(kwargs["device"]) == ACCELERATOR
        kwargs = {**kwargs, "device": torch.device("cpu")}
    elif func is _aten.copy_.default:
        is_elsewhere = isinstance(args[0], ElsewhereTensor)
    if func is _aten._local_scalar_dense.default:
        is_elsewhere = False
    inner_args, inner_kwargs = tree_map(_inner, (args, kwargs))
    result = func(*inner_args, **inner_kwargs)
    if func is _aten.copy_.default:
        return args[0]

    def outer(each: Any) -> Any:
        if not is_elsewhere or not isinstance(each, Tensor):
            return each
        return outer_of.get(id(each)) if id(each) in outer_of else ElsewhereTensor(each)

    return tree_map(outer, result)


def _inner(each: Any) -> Any:
    return each.at_home if isinstance(each, ElsewhereTensor) else each
