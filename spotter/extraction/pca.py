"""Principal components, learned from features a part at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from spotter.data.check import find_broken
from spotter.data.pca import Floats, Pca
from spotter.errors import UserError

PART = 4096  # rows that are learned from at a time, at least


def fit_pca(halves: Iterable[NDArray[np.floating]], components: int) -> Pca:
    """Learn ``components`` from the rows of halves, (T, D) each, read once and kept a part at a time.

    Rows that are not finite are left out. By scikit-learn's IncrementalPCA (Ross et al., 2008).
    Raises UserError where there are fewer rows or columns than components.
    """
    try:
        from sklearn.decomposition import IncrementalPCA  # an extra, and slow to import
    except ImportError as error:
        raise UserError("learning components needs scikit-learn: pip install scikit-learn") from error

    model = IncrementalPCA(components)
    waiting: list[Floats] = []
    fitted = 0
    for rows in (*halves, None):
        if rows is not None:
            waiting.append(rows[~find_broken(rows)].astype(np.float32))
        known = sum(map(len, waiting))
        if known >= (max(4 * components, PART) if rows is not None else components):
            learned = np.concatenate(waiting)
            if learned.shape[1] < components:
                raise UserError(f"--pca: the features have {learned.shape[1]} columns, fewer than {components}")
            model.partial_fit(learned)
            waiting, fitted = [], fitted + known
    if not fitted:
        raise UserError(f"--pca: the training split has {known} rows, fewer than {components}; take a smaller number")
    return Pca(model.mean_.astype(np.float32), model.components_.astype(np.float32))
