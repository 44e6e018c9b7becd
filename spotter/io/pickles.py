"""Arrays out of pickles of other codebases, without running anything that such a file names."""

from __future__ import annotations

import io
import pickle
from typing import Any, ClassVar

from spotter.errors import UserError

CORE = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
ARRAYS = {
    *((module, name) for module in CORE for name in ("_reconstruct", "scalar", "_frombuffer")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),  # how Python 3 pickles bytes for Python 2
}


class Holder:
    """Hold the attributes of a pickled object, whose class is not looked for."""

    def __init__(self, *_: object) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self.state = dict(state) if isinstance(state, dict) else {}


class ArrayUnpickler(pickle.Unpickler):
    """Build arrays and containers of Python; of ``HELD`` classes the attributes, of any other class nothing."""

    HELD: ClassVar = {("sklearn.decomposition.pca", "PCA"), ("sklearn.decomposition._pca", "PCA")}

    def find_class(self, module: str, name: str) -> object:
        """Return what builds arrays; raises UserError for anything else."""
        if (module, name) in ARRAYS:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        if (module, name) in self.HELD:
            return Holder
        raise UserError(f"names {module}.{name}, which is not loaded; only arrays are taken out of a pickle")


def read_arrays(content: bytes, name: str) -> object:
    """Return what a pickle of arrays, lists and dictionaries holds; objects of scikit-learn as ``Holder``.

    Raises UserError naming the file for a pickle of anything else, and for a damaged one.
    """
    try:
        found: object = ArrayUnpickler(io.BytesIO(content)).load()
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"{name}: a damaged pickle ({type(error).__name__})") from error
    return found
