"""Change training batches on their device, drawn from torch's generator of the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spotter.checks import check_probability
from spotter.data.augment_tracking import EntityTransform
from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.types import Batch


@dataclass(frozen=True, slots=True)
class FeatureTransform:
    """Change clips of features in training.

    mask_before : fraction of clips in which all before the spot is hidden, as in RMS-Net (Tomei et al., 2021), from
        memory of the paper
    swap : probability of a row to change places with its neighbour, as in ASTRA (Xarles et al., 2023)
    tracking : arguments of ``EntityTransform``, which changes streams of positions alone; None leaves them
    layout : describes the streams
    """

    mask_before: float = 0.0
    swap: float = 0.0
    tracking: Mapping[str, float] | None = None
    layout: Layout = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.tracking and not any("entities" in stream for stream in self.layout.values()):
            raise UserError("data.augment: the data has no stream of positions; leave it out")
        check_probability("model.augment.mask_before", self.mask_before)
        check_probability("model.augment.swap", self.swap)

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch; masking needs targets with the ``moment`` of each clip, (B, 1), NaN for none."""
        if self.tracking:
            batch = {**batch, "inputs": self._track(batch["inputs"], EntityTransform(**self.tracking))}
        if self.swap:
            batch = {**batch, "inputs": {name: swap_neighbours(x, self.swap) for name, x in batch["inputs"].items()}}
        if not self.mask_before:
            return batch
        if "moment" not in batch["targets"]:
            raise UserError("model.augment.mask_before: the targets of this model hold no moment; set it to 0")
        valid = batch["valid"]
        chosen = torch.rand(len(valid), 1, device=valid.device) < self.mask_before
        frame = torch.arange(valid.shape[1], device=valid.device)
        hidden = chosen & (frame < batch["targets"]["moment"].floor())  # nothing is smaller than NaN
        return {**batch, "valid": valid & ~hidden}

    def _track(self, inputs: Mapping[str, Tensor], change: EntityTransform) -> dict[str, Tensor]:
        entities = {name: self.layout[name].get("entities") for name in inputs}
        return {name: change(rows, known) if (known := entities[name]) else rows for name, rows in inputs.items()}


def swap_neighbours(rows: Tensor, probability: float) -> Tensor:
    """Exchange neighbouring rows (B, R, width), each pair with a probability; which rows form pairs is drawn, too."""
    count = rows.shape[1]
    index = torch.arange(count, device=rows.device)
    odd = torch.randint(2, (len(rows), 1), device=rows.device)
    first = index - (index + odd) % 2  # (B, R), of the row's pair
    chosen = (torch.rand(rows.shape[:2], device=rows.device) < probability).gather(1, first.clamp(0))
    chosen = chosen & (first >= 0) & (first + 1 < count)
    return rows.gather(1, torch.where(chosen, 2 * first + 1 - index, index)[..., None].expand_as(rows))
