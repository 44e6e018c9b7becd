"""How halves are cut into clips: a model's wishes as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.inference.stitch import flat, triangle


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """Hold clip lengths, in frames.

    clip_len : of training clips
    eval_len : of evaluation clips, None for ``clip_len``
    overlap : share of an evaluation clip that the next one sees again, without the margins
    margin : frames at both ends of an evaluation clip that serve as context only
    sampling, per_epoch, partners : see ``TrainingBatches``
    inset : frames which a drawn spot keeps from both ends of a clip, see ``BalancedClips``
    """

    clip_len: int
    eval_len: int = 0
    overlap: float = 0.5
    margin: int = 0
    sampling: str = "uniform"
    per_epoch: int = 8192
    partners: bool = False
    inset: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "eval_len", self.eval_len or self.clip_len)
        numbers = (self.clip_len, self.eval_len, self.margin, self.overlap, self.per_epoch, self.inset)
        if (
            not all(isinstance(number, int | float) for number in numbers)
            or self.clip_len < 1
            or self.eval_len <= 2 * self.margin
            or not 0 <= self.overlap < 1
        ):
            raise UserError(
                "model.clips: expected clip_len >= 1, eval_len > 2 * margin and overlap within 0 … 1, "
                f"found {asdict(self)}"
            )

    @property
    def blended(self) -> bool:
        """Say whether clips are averaged where they overlap; without ``overlap`` only the last one of a half does."""
        return self.overlap > 0

    @property
    def stride(self) -> int:
        """Return the frames from one evaluation clip to the next."""
        return max(1, round((self.eval_len - 2 * self.margin) * (1 - self.overlap)))

    def weights(self, upsample: int) -> NDArray[np.float64]:
        """Return what each anchor of an evaluation clip weighs where clips overlap."""
        if self.overlap == 0:
            return flat(self.eval_len * upsample, self.margin * upsample)
        inner = triangle((self.eval_len - 2 * self.margin) * upsample)
        return np.pad(inner, self.margin * upsample)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, as checkpoints hold it."""
        return asdict(self)
