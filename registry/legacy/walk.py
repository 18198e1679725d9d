"""Finds the pickles in a folder, by their endings and by their first bytes; reports the others with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.legacy.names_file import is_about_names, names_in

ENDINGS = frozenset((
    ".pkl", ".pickle", ".pk", ".pck", ".pcl", ".p", ".joblib", ".jl", ".jbl", ".sav", ".save", ".model", ".mdl", ".clf",
))  # fmt: skip
# The first bytes of a pickle: its protocol, then a frame, a memo, a name, a container or joblib's array.
PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
OTHER_MODELS = {
    ".onnx": "an ONNX graph; import the model that it was made of",
    ".skops": "a skops file; load it, and use save_model",
    ".h5": "a Keras model",
    ".keras": "a Keras model",
    ".pt": "a PyTorch model",
    ".pth": "a PyTorch model",
    ".cbm": "a CatBoost model",
    ".ubj": "an XGBoost model",
    ".pmml": "a PMML model",
    ".tflite": "a TensorFlow Lite model",
    ".rds": "a model of R",
    ".zip": "an archive; import it by itself if `zelador models export` made it",
}
INDEX = "registry.json"
MAX_FILES = 20_000
COMPRESSED = (b"\x1f\x8b", b"BZ", b"\xfd7", b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")  # gzip, bzip2, xz, zlib
NUMPY = b"\x93N"
HEAD = 2


@dataclass(frozen=True, slots=True)
class Walk:
    """`pickles`, sorted. `names`: text files with names of columns or classes. `passed_over`: the other files by
    their path in the folder, and why."""

    pickles: list[Path]
    names: list[Path]
    passed_over: Mapping[str, str]


def walk(folder: Path, deep: bool = True) -> Walk:
    """The files in `folder`, with its folders if `deep`; hidden ones are left out."""
    pickles, names, passed = [], [], {}
    for file in _files(folder, deep):
        begin = _begin(file)
        named = any(suffix.lower() in ENDINGS for suffix in file.suffixes)  # press.pkl.gz, press.joblib.z
        if file.suffix.lower() in ENDINGS or begin in PROTOCOLS or (named and begin in COMPRESSED):
            pickles.append(file)
        elif file.name == INDEX:
            continue
        elif names_in(file) is not None:
            names.append(file)
        elif begin == NUMPY and is_about_names(file.name):
            pickles.append(file)  # le.classes_ by numpy.save: an array of objects, which is a pickle
        else:
            passed[str(file.relative_to(folder))] = OTHER_MODELS.get(file.suffix.lower(), "not a pickle")
    return Walk(sorted(pickles), names, passed)


def _files(folder: Path, deep: bool) -> Iterator[Path]:
    for count, file in enumerate(sorted(folder.rglob("*") if deep else folder.glob("*"))):
        if count >= MAX_FILES:
            return
        hidden = any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(folder).parts)
        if not hidden and file.is_file():
            yield file


def _begin(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(HEAD)
    except OSError:
        return b""
