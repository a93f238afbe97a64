"""Logs of runtimes as they were written: which line is quoted for the cause of an end."""

import pytest

from profiler_agent.measuring.last_words import last_words

LITERT = """\
INFO: [environment.cc:36] Creating LiteRT environment with options
INFO: [accelerator_registry.cc:54] RegisterAccelerator: ptr=0x55b1ed8088d0, name=CpuAccelerator
WARNING: [npu_registry.cc:34] NPU accelerator could not be loaded and registered: NotFound.
WARNING: [compiler_plugin.cc:312] Failed to load plugin at: /opt/x.so with error: ERROR: [plugin.cc:259]
└ Could not load shared library /opt/x.so: libopenvino.so.2631: cannot open shared object file.
INFO: [compiled_model.cc:829] Flatbuffer model initialized directly from incoming litert model.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
"""
"""Of ai-edge-litert 2.3.0, shortened; all of it is there whenever a model has been loaded."""

FAILED = """\
ERROR: [compiled_model.cc:912]
└ Node number 3 (CONV_2D) failed to prepare.
"""
ABSEIL = "W0000 00:00:1764332000.123456    4242 cpu_info.cc:18] no cache information\n"
ONNX_RUNTIME = "\x1b[0;93m2026-11-28 12:30:01.5 [W:onnxruntime:Default, device.cc:1] no GPU here\x1b[m\n"
BAD_ALLOC = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"
TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/profiler_agent/measuring/process.py", line 121, in <module>
MemoryError
"""
QEMU = "\0qemu: uncaught target signal 4 (Illegal\0instruction) - core dumped\n"
"""With NULs, as qemu 7.2 writes it; no message may hold them."""


@pytest.mark.parametrize(
    ("written", "quoted"),
    [
        ("", ""),
        (LITERT, ""),
        (ABSEIL + ONNX_RUNTIME, ""),
        (LITERT + FAILED, "Node number 3 (CONV_2D) failed to prepare."),
        (BAD_ALLOC + LITERT, "what():  std::bad_alloc"),
        (LITERT + TRACEBACK + ABSEIL, "MemoryError"),
        (QEMU, "qemu: uncaught target signal 4 (Illegal instruction) - core dumped"),
    ],
)
def test_only_a_line_that_tells_the_cause_is_quoted(written: str, quoted: str) -> None:
    assert last_words(written.encode()) == quoted
