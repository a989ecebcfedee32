"""Imports ONNX Runtime with its telemetry off. All of privcam imports the runtime from here.

From version 1.29 on the official Linux packages write a device id into the home folder and send events about models and
errors to their maker, unless the variable below is set before the library starts. A privacy camera sends nothing that
it was not made to send.
"""

import os

# Has to come before the import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

# For a program that had imported the library before: what can still be turned off.
onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
