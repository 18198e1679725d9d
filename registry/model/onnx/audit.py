"""Audits an ONNX file before it is loaded: it passes only if the trainer's converters could have written it.

There is an allow-list of message fields (onnx/schema.py), operators and attributes (onnx/operators.py) and sizes
(onnx/graph.py): no data outside the file, no functions, no loop except the distances of nearest neighbors, and no
value beyond a limit. Nothing is constructed.
"""

from __future__ import annotations

from registry.model.onnx.graph import check_model
from registry.model.onnx.values import Refused
from registry.model.onnx.wire import Malformed, parse


def audit(data: bytes) -> str | None:
    """The reason why this file must not be loaded; None if it may be."""
    try:
        check_model(parse(data))
    except Malformed as error:
        return f"it is not an ONNX file as our converters write it ({error})"
    except Refused as error:
        return f"it {error}"
    return None
