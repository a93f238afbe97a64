"""Formats of the files that the server takes and gives, by the names that routes and commands know."""

from typing import Literal

TableFormat = Literal["json", "csv", "parquet"]
ImportFormat = Literal[
    "json", "csv", "parquet", "plain-csv", "hw-nas-bench", "ofa-yaml", "mobile-vision-jsonl"
]
SampleFormat = Literal["parquet", "csv"]
ExportFormat = Literal["onnx", "tflite", "ncnn", "torch", "python", "json", "hub"]
