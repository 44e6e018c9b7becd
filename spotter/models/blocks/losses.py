"""Losses over anchors: means over what counts, from logits, never from probabilities."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def balanced_bce(
    logits: Tensor, target: Tensor, positive: Tensor, negative: Tensor, valid: Tensor, focal_gamma: float = 0.0
) -> Tensor:
    """Return the mean binary cross-entropy with a weight per class for positives and for negatives.

    logits, target : (B, A, K), targets within 0 … 1; positive, negative : (K,); valid : (B, A, 1) bool
    focal_gamma : exponent of ``|target - probability|``, after Lin et al., *Focal Loss*, 2017
    """
    loss = negative * F.binary_cross_entropy_with_logits(
        logits, target, pos_weight=positive / negative, reduction="none"
    )
    if focal_gamma:
        loss = loss * (target - logits.sigmoid()).abs() ** focal_gamma
    return masked_mean(loss, valid.expand_as(loss))


def soft_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor, valid: Tensor) -> Tensor:
    """Return the mean over frames of the cross-entropy with a distribution, each class with its weight.

    logits, target : (…, A, C), each target sums to 1; weight : (C,); valid : (…, A) bool

    As in torch for such targets, the mean is over frames; the sum of their weights does not divide it.
    """
    return masked_mean(-(weight * target * logits.log_softmax(-1)).sum(-1), valid.expand(logits.shape[:-1]))


def huber(error: Tensor, counts: Tensor, delta: float) -> Tensor:
    """Return the mean Huber loss divided by ``delta``, over the anchors that count; both (B, A, K)."""
    loss = F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=delta) / delta
    return masked_mean(loss, counts)


def gaussian(error: Tensor, log_variance: Tensor, counts: Tensor) -> Tensor:
    """Return the mean weighted Gaussian loss of ASTRA (Xarles et al., 2023), over the anchors that count."""
    return masked_mean(0.3 * error**2 * torch.exp(-log_variance) + 0.7 * log_variance, counts)


def masked_mean(loss: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of ``loss`` where ``counts``, 0 where nothing does."""
    return (loss * counts).sum() / counts.sum().clamp(min=1)
