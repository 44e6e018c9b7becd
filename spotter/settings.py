"""Settings of a model that prediction needs, as plain values: how halves are cut into clips, and suppression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spotter.checks import check_choice, check_keys, check_not_negative, check_probability, is_integer, is_number
from spotter.errors import UserError, shorten

DECAYS = ("nms", "soft_nms", "quadratic_nms")
METHODS = (*DECAYS, "peaks")


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """Hold clip lengths, in frames.

    clip_len : of training clips
    eval_len : of evaluation clips, 0 for ``clip_len``
    overlap : fraction of an evaluation clip, without the margins, that the next clip covers again
    margin : frames at both ends of an evaluation clip that serve as context only
    flip : evaluate the images of a video mirrored, too, and average, for twice the cost
    sampling, per_epoch, balanced_mixup : see ``TrainingBatches``
    spot_margin : frames between the spot of a balanced clip and both ends of the clip, at least; see ``BalancedClips``
    """

    clip_len: int
    eval_len: int = 0
    overlap: float = 0.5
    margin: int = 0
    sampling: str = "uniform"
    per_epoch: int = 8192
    balanced_mixup: bool = False
    spot_margin: int = 0
    flip: bool = False

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> ClipConfig:
        """Load from plain values; raises UserError for an unknown or a missing key, and a value out of range."""
        check_keys("model.clips", content, cls.__slots__)
        if "clip_len" not in content:
            raise UserError("model.clips.clip_len: give the frames of a clip")
        return cls(**content)

    def __post_init__(self) -> None:
        object.__setattr__(self, "eval_len", self.eval_len or self.clip_len)
        frames = (self.clip_len, self.eval_len, self.margin, self.per_epoch, self.spot_margin)
        if (
            not all(is_integer(number) and number >= 0 for number in frames)
            or not is_number(self.overlap)
            or self.clip_len < 1
            or self.eval_len <= 2 * self.margin
            or not 0 <= self.overlap < 1
            or not isinstance(self.flip, bool)
        ):
            found = ", ".join(f"{key} {shorten(value)}" for key, value in asdict(self).items())
            raise UserError(
                "model.clips: expected whole numbers, clip_len >= 1, eval_len > 2 * margin and overlap within 0 … 1, "
                f"found {found}"
            )

    @property
    def averaged(self) -> bool:
        """Return whether clips are averaged where they overlap; without an ``overlap`` the first one counts."""
        return self.overlap > 0

    @property
    def draws_balanced(self) -> bool:
        """Return whether some clips are drawn by class, see ``BalancedClips``."""
        return self.balanced_mixup or self.sampling == "balanced"

    @property
    def stride(self) -> int:
        """Return the frames from one evaluation clip to the next."""
        return max(1, round((self.eval_len - 2 * self.margin) * (1 - self.overlap)))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, as checkpoints hold it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Postprocess:
    """Describe one suppression.

    method : ``nms`` removes lower neighbours within ±window/2; ``soft_nms`` multiplies those nearer than a
        whole window by their distance over the window; ``quadratic_nms`` those within ±window/2 by the square of
        their distance over window/2, as ASTRA (Xarles et al., 2023); ``peaks`` leaves nothing but local maxima and
        then does as ``nms``, as Baikulov, 2023
    window : seconds, one for all classes or one for each
    threshold : confidences below it are dropped, before and after the decay
    smooth : seconds, deviation of a Gaussian by which confidences are averaged over time first, 0 for none
    """

    method: str
    window: float | tuple[float, ...]
    threshold: float = 0.0
    smooth: float = 0.0

    @classmethod
    def load(cls, content: Mapping[str, Any], classes: int | None = None) -> Postprocess:
        """Load from plain values; with ``classes``, a window per class must have that many entries.

        Raises UserError for an unknown method, a missing or unknown key, or a value out of range.
        """
        if not isinstance(content, Mapping):
            raise UserError(f"postprocess must hold {', '.join(cls.__slots__)}, found {shorten(content)}")
        missing = [f"lacks {shorten(key)}" for key in ("method", "window") if key not in content]
        unknown = [f"has the unknown key {shorten(key)}" for key in content if key not in cls.__slots__][:3]
        if missing or unknown:
            raise UserError(f"postprocess {' and '.join(missing + unknown)}: its keys are {', '.join(cls.__slots__)}")
        method, window = content["method"], content["window"]
        check_choice("postprocess.method", method, METHODS)
        threshold = content.get("threshold", 0.0)
        check_probability("postprocess.threshold", threshold)
        smooth = _number("smooth", content.get("smooth", 0.0))
        if not isinstance(window, Sequence) or isinstance(window, str):
            return cls(method, _number("window", window), float(threshold), smooth)
        if classes is not None and len(window) != classes:
            raise UserError(f"postprocess.window has {len(window)} entries: give one for all {classes} classes or each")
        return cls(method, tuple(_number("window", seconds) for seconds in window), float(threshold), smooth)

    def windows(self, classes: int) -> tuple[float, ...]:
        """Return the window of every class, in seconds."""
        return self.window if isinstance(self.window, tuple) else (self.window,) * classes

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as checkpoints and JSON files hold them."""
        window = list(self.window) if isinstance(self.window, tuple) else self.window
        content = {"method": self.method, "window": window, "threshold": self.threshold}
        return content | ({"smooth": self.smooth} if self.smooth else {})


def _number(key: str, value: Any) -> float:
    """Return a finite number that is not negative, or raise UserError."""
    check_not_negative(f"postprocess.{key}", value)
    return float(value)
