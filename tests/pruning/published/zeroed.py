"""What PyTorch computes for a network when the slices of plan.json are zero and norms leave out what left."""
import contextlib
import functools
import sys

import torch
import torch.nn.functional as F


def zero(network, removed):
    """Sets what left to zero; returns which entries of vectors stay, by id of the parameter."""
    parameters = {f"{prefix}.{name}" if prefix else name: value
                  for prefix, module in network.named_modules(remove_duplicate=False)
                  for name, value in module._parameters.items() if value is not None}
    masks = {}
    for item in removed:
        value = parameters.get(item["tensor"])
        is_direction = item["tensor"].endswith("_v") and item["tensor"][:-1] + "g" in parameters
        if value is None or is_direction:
            continue
        indices = torch.tensor(item["indices"])
        if value.dim() == 1 or value.numel() == value.shape[item["dim"]]:
            masks[id(value)] = torch.ones(value.numel()).index_fill_(0, indices, 0)
        value.index_fill_(item["dim"], indices, 0)
    return masks


def masked_statistics(x, mask, axes, eps, centred=True):
    count = mask.sum(axes, keepdim=True).clamp(min=1)
    if centred:
        x = x - (x * mask).sum(axes, keepdim=True) / count
    return x / torch.sqrt((x * x * mask).sum(axes, keepdim=True) / count + eps)


class MaskedNorms:
    """Replaces norms whose weights are among `masks` (1 where a channel stays), and batch norms of weights."""

    def __init__(self, masks):
        self.masks = masks
        self.functions = {name: getattr(F, name) for name in ("layer_norm", "group_norm", "batch_norm")}
        # timm's RMS norms and norms by the standard deviation alone are functions that its modules call by a name of their own.
        self.rms_functions = [(module, name, getattr(module, name)) for key, module in list(sys.modules.items())
                              if key.startswith("timm.layers.norm") for name in ("rms_norm", "rms_norm2d", "simple_norm", "simple_norm2d") if hasattr(module, name)]

    def mask_of(self, weight):
        mask = None if weight is None else self.masks.get(id(weight))
        return None if mask is None else mask.to(weight.dtype)

    def layer_norm(self, x, shape, weight=None, bias=None, eps=1e-5):
        if weight is None:  # then channels that are zero everywhere have left
            mask = (x != 0).flatten(0, -len(shape) - 1).any(0).to(x.dtype)
            return masked_statistics(x, mask.expand(x.shape), tuple(range(-len(shape), 0)), eps) * mask
        mask = self.mask_of(weight)
        if mask is None:
            return self.functions["layer_norm"](x, shape, weight, bias, eps)
        y = masked_statistics(x, mask.expand(x.shape), tuple(range(-len(shape), 0)), eps) * weight
        return y if bias is None else y + bias

    def group_norm(self, x, groups, weight=None, bias=None, eps=1e-5):
        mask = self.mask_of(weight)
        if mask is None:
            return self.functions["group_norm"](x, groups, weight, bias, eps)
        y = x.reshape(x.shape[0], groups, x.shape[1] // groups, -1)
        y = masked_statistics(y, mask.view(1, groups, -1, 1).expand_as(y), (2, 3), eps).reshape(x.shape)
        wide = [1, -1] + [1] * (x.dim() - 2)
        return y * weight.view(wide) + (0 if bias is None else bias.view(wide))

    def batch_norm(self, x, mean, variance, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        if mean is not None or not training:
            return self.functions["batch_norm"](x, mean, variance, weight, bias, training, momentum, eps)
        mask = (x != 0).to(x.dtype)
        y = masked_statistics(x, mask, (0, *range(2, x.dim())), eps) * mask
        wide = [1, -1] + [1] * (x.dim() - 2)
        return (y if weight is None else y * weight.view(wide)) + (0 if bias is None else bias.view(wide))

    def written_out_norm(self, module, x, gate=None):
        """Norms of transformers that are classes of their own: RMS norms, layer norms, those of images among them."""
        mask = self.mask_of(module.weight)
        if gate is not None:  # Mamba-2's
            x = x * F.silu(gate)
        if mask is None:
            mask = torch.ones_like(module.weight)
        kind, bias = type(module).__name__, getattr(module, "bias", None)
        scale = module.weight + 1 if kind.startswith("Gemma") else module.weight
        eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
        of_images = kind == "VitDetLayerNorm" or getattr(module, "data_format", "") == "channels_first"
        axis, wide = (1, [-1, 1, 1]) if of_images else (-1, [-1])
        y = masked_statistics(x, mask.view(wide).expand(x.shape), (axis,), eps, bias is not None or kind == "CohereLayerNorm")
        return scale.view(wide) * y if bias is None else scale.view(wide) * y + bias.view(wide)

    def scale_norm(self, module, x):
        mask = (x != 0).flatten(0, -2).any(0).to(x.dtype)  # no weights: channels that are zero everywhere have left
        return module.scalar * masked_statistics(x, mask.expand(x.shape), (-1,), module.eps, centred=False)

    def rms_function(self, original, axis, x, shape, weight=None, eps=1e-5):
        mask = self.mask_of(weight)
        if mask is None:
            return original(x, shape, weight, eps)
        wide = [-1] + [1] * (x.dim() - 2 if axis == 1 else 0)
        if original.__name__.startswith("simple"):
            stays = mask.nonzero()[:, 0]
            return weight.view(wide) * x * torch.rsqrt(x.index_select(axis, stays).var(axis, keepdim=True) + eps)
        return weight.view(wide) * masked_statistics(x, mask.view(wide).expand(x.shape), (axis,), eps, centred=False)

    def integer_norm(self, module, x, scale=None):
        mask = self.mask_of(module.weight)
        if mask is None:
            return type(module).forward(module, x, scale)
        return masked_statistics(x, mask.expand(x.shape), (2,), module.eps) * module.weight + module.bias, None

    def response_norm(self, module, x):
        mask = self.mask_of(module.weight)
        if mask is None:
            return type(module).forward(module, x)
        g = x.norm(p=2, dim=module.spatial_dim, keepdim=True)
        wide = mask.view(module.wb_shape)
        mean = (g * wide).sum(module.channel_dim, keepdim=True) / mask.sum()
        return x + torch.addcmul(module.bias.view(module.wb_shape), module.weight.view(module.wb_shape),
                                 x * (g / (mean + module.eps)))

    def response_norm_of_transformers(self, module, x):
        mask = self.mask_of(module.weight)
        if mask is None:
            return type(module).forward(module, x)
        g = x.norm(p=2, dim=(1, 2), keepdim=True)
        return module.weight * (x * (g / ((g * mask).sum(-1, keepdim=True) / mask.sum() + 1e-6))) + module.bias + x

    def replacement_of(self, module):
        kind = type(module).__name__
        if hasattr(module, "variance_epsilon") or kind.endswith(("RMSNorm", "VitDetLayerNorm")) or hasattr(module, "data_format"):
            return self.written_out_norm
        return {"MegaScaleNorm": self.scale_norm, "GlobalResponseNorm": self.response_norm,
                "ConvNextV2GRN": self.response_norm_of_transformers, "IntLayerNorm": self.integer_norm}.get(kind)

    @contextlib.contextmanager
    def installed(self, network):
        for name in self.functions:
            setattr(F, name, getattr(self, name))
        for module, name, function in self.rms_functions:
            setattr(module, name, functools.partial(self.rms_function, function, 1 if name.endswith("2d") else -1))
        replaced = [(module, self.replacement_of(module)) for module in network.modules()]
        replaced = [(module, replacement) for module, replacement in replaced if replacement]
        for module, replacement in replaced:
            module.forward = functools.partial(replacement, module)
        try:
            yield
        finally:
            for name, function in self.functions.items():
                setattr(F, name, function)
            for module, name, function in self.rms_functions:
                setattr(module, name, function)
            for module, _ in replaced:
                del module.forward
