"""A spotting system as one object: what it reads, its network and its head, and how scores become spots."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.images import ImageTransform
from spotter.data.source import InputSpec
from spotter.errors import UserError
from spotter.io.checkpoints import choose_label_set, not_finite
from spotter.models.base import Head, Network
from spotter.models.blocks.teams import count_outputs, with_teams
from spotter.models.bounded import Bounded
from spotter.models.build import SHOWN, build_head, build_network
from spotter.settings import ClipConfig, Postprocess
from spotter.tasks import Task
from spotter.types import Batch, Output, Plain

# what building a network of settings that nobody has checked may end with
UNFIT = (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError, AssertionError, MemoryError)


@dataclass(eq=False)
class System:
    """Hold all that turns batches of clips into scores, and what turning scores into spots needs.

    spec : describes the input
    clips : how halves are cut into clips
    postprocess : suppression
    images : normalises video; None for features
    broken : of evaluated features, whether a row was not finite, on the device; see ``saw_broken_rows``
    """

    task: Task
    spec: InputSpec
    clips: ClipConfig
    postprocess: Postprocess
    network: Network
    head: Head
    images: ImageTransform | None = None
    broken: Tensor | None = None

    def __post_init__(self) -> None:
        if self.clips.flip and self.spec.image is None:
            raise UserError("clips.flip: mirrors images, but this model reads features; leave it out")

    @classmethod
    def build(cls, description: Plain, trusted: Sequence[str] = ()) -> Self:
        """Build a system of random weights from plain values, as the hyper-parameters of a checkpoint are.

        description : ``task``, ``source``, ``clips``, ``postprocess``, and ``network`` and ``head`` with a
            ``_target_`` each; ``teams``, how they are told apart where the task has some; other keys are not looked at
        trusted : modules that ``_target_`` may name beside those of spotter

        Raises UserError for values that are wrong or do not fit together.
        """
        task, spec = Task.load_stored(description["task"]), InputSpec.load(description["source"])
        outputs = count_outputs(task, _teams(description))
        network = build_network(description["network"], spec.kind, spec.layout, outputs, trusted)
        head = _head(description, network, task, spec, trusted)
        clips = ClipConfig.load(description["clips"])
        postprocess = Postprocess.load(description["postprocess"], len(task.classes))
        images = ImageTransform(spec.image.mean, spec.image.std) if spec.image is not None else None
        return cls(task, spec, clips, postprocess, network, head, images)

    def with_labels(self, description: Plain, trusted: Sequence[str] = ()) -> Self:
        """Return the system of another label set, on the same network.

        description : its ``task``, ``head``, ``postprocess`` and ``teams``, as ``build`` takes them
        Raises UserError as ``build`` does, and for a network that ends in the scores of its own classes.
        """
        if not self.network.width:
            name = type(self.network).__name__
            raise UserError(f"data.joint: {name} ends in scores of its classes, which no other labels can share")
        task = Task.load_stored(description["task"])
        head = _head(description, self.network, task, self.spec, trusted)
        postprocess = Postprocess.load(description["postprocess"], len(task.classes))
        return dataclasses.replace(self, task=task, head=head, postprocess=postprocess)

    @classmethod
    def load(cls, content: Plain, trusted: Sequence[str] = ()) -> Self:
        """Build the system of an opened checkpoint with its weights, in eval mode; ``trusted`` as in ``build``.

        Of one that was trained jointly that of its own labels, see ``choose_label_set`` for others.

        Raises UserError where settings and weights do not fit together, and for weights that are not finite; settings
        that ask for a network far larger than the weights take no memory.
        """
        try:
            content = choose_label_set(content)
            with Bounded(content["state_dict"].values()):
                system = cls.build(content["hyper_parameters"], trusted)
            system.load_state_dict(content["state_dict"])
        except UNFIT as error:
            reason = " ".join(str(error).split())[:SHOWN]
            raise UserError(f"ckpt: its weights and settings do not fit ({reason})") from error
        if broken := next(not_finite(system.state_dict()), None):
            raise UserError(f"ckpt: its weights {broken} are not finite; take another checkpoint, or make it again")
        return system.eval()

    @property
    def rate(self) -> float:
        """Return the number of anchors per second."""
        return self.spec.fps * self.network.upsample

    def prepare(self, batch: Batch) -> Batch:
        """Turn the inputs, which travel as they are stored, into floats; images are normalised.

        In eval mode feature rows that are not finite become zero, as missing ones are; in training they are an error.
        """
        if self.images is not None:
            video, mirrored = self.images(batch["inputs"]["video"], batch["valid"])
            targets = self.head.mirror(batch["targets"], mirrored) if batch["targets"] else {}
            return {**batch, "inputs": {**batch["inputs"], "video": video}, "targets": targets}
        inputs = {name: rows.float() for name, rows in batch["inputs"].items()}
        return {**batch, "inputs": inputs if self.network.training else self._without_broken(inputs)}

    def _without_broken(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        filled = {}
        for name, rows in inputs.items():
            bad = ~rows.sum(-1, keepdim=True).isfinite()  # (B, R, 1)
            self.broken = bad.any() if self.broken is None else self.broken | bad.any()
            intact = bad.device.type == "cpu" and not self.broken  # only there asking costs nothing
            filled[name] = rows if intact else rows.masked_fill(bad, 0.0)
        return filled

    def saw_broken_rows(self) -> bool:
        """Return whether a row that was evaluated since this was last asked was not finite."""
        broken, self.broken = self.broken, None
        return broken is not None and bool(broken)

    def forward(self, batch: Batch) -> Output:
        """Return the head's output for a batch that went through ``prepare``."""
        return self.score(self.network(batch["inputs"], batch["phase"], batch["valid"]))

    def score(self, tokens: Tensor) -> Output:
        """Return the head's output for tokens.

        Heads compute in float32 whatever the network does: scores of 8 bits would make neighbours equal.
        """
        with torch.autocast(tokens.device.type, enabled=False):
            output: Output = self.head(tokens.float())
        return output

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``logits``, and ``displacement`` in anchors where there is one, both (B, A, K), of a batch as read."""
        batch = self.prepare(batch)
        return self.predict(batch, self.forward(batch))

    def predict(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Return what ``outputs`` does, of a batch that went through ``prepare``, and the head's output for it.

        With ``clips.flip`` the images are seen mirrored, too: confidences and displacements are the means of both.
        """
        found = self.head.predict(output)
        if not self.clips.flip:
            return found
        video = batch["inputs"]["video"].flip(-1)
        mirrored = self.head.predict(self.forward({**batch, "inputs": {"video": video}}))
        if self.task.shows_sides:  # what acts on the left of a mirrored image acts on the right
            mirrored = {
                name: each.view(*each.shape[:-1], -1, 2).flip(-1).flatten(-2) for name, each in mirrored.items()
            }
        return mean_outputs(found, mirrored)

    def to(self, device: torch.device | str) -> Self:
        """Move to a device, in place."""
        self._parts.to(device)
        if self.images is not None:
            self.images.to(device)
        return self

    def eval(self) -> Self:
        """Switch dropout and augmentation off, in place."""
        self._parts.eval()
        if self.images is not None:
            self.images.eval()
        return self

    def fused(self) -> Self:
        """Return the system for inference alone, batch norms inside of convolutions where the network knows how."""
        network = copy.deepcopy(self.network).eval().requires_grad_(False)
        network.fuse_batchnorm()
        return dataclasses.replace(self, network=network).eval()

    def state_dict(self) -> dict[str, Tensor]:
        """Return all weights by the names that checkpoints give them."""
        return self._parts.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of a checkpoint; raises RuntimeError for tensors that are too many, lacking or misshapen."""
        self._parts.load_state_dict(state)

    @property
    def _parts(self) -> nn.ModuleDict:
        return nn.ModuleDict({"network": self.network, "head": self.head})


def mean_outputs(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return ``logits`` whose sigmoids are the means of those of two outputs, and the mean of anything else."""
    for_it, against = (
        torch.logaddexp(F.logsigmoid(x * one["logits"]), F.logsigmoid(x * other["logits"])) for x in (1, -1)
    )
    return {name: (value + other[name]) / 2 for name, value in one.items()} | {"logits": for_it - against}


def _teams(description: Plain) -> str:
    return str(description.get("teams") or "joint")


def _head(description: Plain, network: Network, task: Task, spec: InputSpec, trusted: Sequence[str]) -> Head:
    """Build the head that a description states, for the classes and teams of a task."""
    teams = _teams(description)
    head = build_head(description["head"], network, count_outputs(task, teams), spec.fps, trusted)
    return with_teams(head, network, task, teams)
