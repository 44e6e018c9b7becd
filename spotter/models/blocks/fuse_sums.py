"""Convolutions with the ReLU, or the sum and ReLU, that follow: computed by oneDNN in one pass over memory."""

from __future__ import annotations

import operator
from typing import cast

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata
from torch.nn import functional as F

from spotter.models.blocks.fuse import example_images
from spotter.models.blocks.shift import Shifted

SUMS = (operator.add, operator.iadd, torch.add)


class FusedConvolution(nn.Module):
    """Compute ReLU(convolution + what is added)."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.how = list(cast(tuple[int, int], convolution.padding)), list(convolution.stride)
        self.what = list(convolution.dilation), convolution.groups

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """Return (N, C, H, W); ``added`` has the same shape."""
        (padding, stride), (dilation, groups) = self.how, self.what
        if x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            out = F.conv2d(x, self.weight, self.bias, stride, padding, dilation, groups)
            return F.relu_(out if added is None else out + added)
        convolve, how = torch.ops.mkldnn._convolution_pointwise, (padding, stride, dilation, groups)
        if added is None:
            return convolve(x, self.weight, self.bias, *how, "relu", [], "")
        return convolve.binary(x, added, self.weight, self.bias, *how, "add", 1.0, "relu", [], "")


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Shifted) or super().is_leaf_module(m, module_qualified_name)


@torch.no_grad()
def fuse_sums(backbone: nn.Module) -> nn.Module:
    """Return a backbone, in eval mode, with each convolution fused with the ReLU, or sum and ReLU, after it.

    What a fused convolution made is scaled in place where nothing but the scale itself depends on it, as in
    squeeze-and-excitation. Where oneDNN is not at hand, or the backbone cannot be traced, it stays as it is.

    It must take a batch of two images, as two frames of a clip.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return backbone
    try:
        traced = fx.GraphModule(backbone, _Tracer().trace(backbone))
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError):
        return backbone
    ShapeProp(traced).propagate(example_images(backbone))
    for node in traced.graph.nodes:
        if isinstance(_called(traced, node), nn.ReLU):
            _fuse(traced, node)
    for node in traced.graph.nodes:
        if node.target is operator.mul:
            _scale_in_place(traced, node)
    traced.graph.eliminate_dead_code()
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _fuse(traced: fx.GraphModule, relu: fx.Node) -> None:
    """Let the convolution before a ReLU, or before a sum and a ReLU, do all, in the place of the ReLU."""
    before = relu.all_input_nodes[0]
    ways: list[tuple[fx.Node, list[fx.Node]]] = [(before, [])]
    terms = before.all_input_nodes
    if before.target in SUMS and len(before.users) == 1 and len(terms) == 2 and _shape(terms[0]) == _shape(terms[1]):
        ways = [(terms[0], [terms[1]]), (terms[1], [terms[0]])]
    for term, added in ways:
        node = _skip_identities(traced, term)
        path = str(node.target)
        if isinstance(module := _called(traced, node), Shifted) and not added:
            module, path = module.net, f"{path}.net"
        if len(node.users) == 1 and isinstance(module, nn.Conv2d) and _is_plain(module):
            parent, _, leaf = path.rpartition(".")
            setattr(traced.get_submodule(parent), leaf, FusedConvolution(module))
            with traced.graph.inserting_before(relu):
                fused = traced.graph.call_module(str(node.target), (node.all_input_nodes[0], *added))
            _put(traced, relu, fused)
            if added:
                traced.graph.erase_node(before)
            return


def _scale_in_place(traced: fx.GraphModule, product: fx.Node) -> None:
    first, *rest = product.all_input_nodes
    order = list(traced.graph.nodes)
    others = [user for user in first.users if user is not product]
    free = all(user.target == "mean" and order.index(user) < order.index(product) for user in others)
    fresh = isinstance(_called(traced, first), FusedConvolution)
    if free and fresh and rest and product.args[0] is first and _shape(first) == _shape(product):
        with traced.graph.inserting_before(product):
            _put(traced, product, traced.graph.call_method("mul_", product.args))


def _put(traced: fx.GraphModule, old: fx.Node, new: fx.Node) -> None:
    new.meta = old.meta
    old.replace_all_uses_with(new)
    traced.graph.erase_node(old)


def _skip_identities(traced: fx.GraphModule, node: fx.Node) -> fx.Node:
    while isinstance(_called(traced, node), nn.Identity) and len(node.users) == 1:
        node = node.all_input_nodes[0]
    return node


def _is_plain(convolution: nn.Conv2d) -> bool:
    return (
        type(convolution) is nn.Conv2d
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
    )


def _called(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None


def _shape(node: fx.Node) -> object:
    meta = node.meta.get("tensor_meta")
    return meta.shape if isinstance(meta, TensorMetadata) else None
