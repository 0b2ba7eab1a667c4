"""Weights and images that need no file, as in weight_formula.h."""
import numpy
import torch


def uniform(name, count):
    """float64 in [-1, 1): SplitMix64 counters from the FNV-1a hash of the name, 24 bits each."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with numpy.errstate(over="ignore"):
        x = numpy.uint64(seed) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        x = x ^ (x >> numpy.uint64(31))
    return (x >> numpy.uint64(40)).astype(numpy.float64) / 2**23 - 1


def value(name, shape):
    """float32, what the tensor of that released name holds."""
    u = uniform(name, int(numpy.prod(shape)))
    if name.endswith("running_var"):
        u = 1 + u / 2
    elif name.endswith("running_mean"):
        u = u / 10
    elif len(shape) == 1:
        u = 1 + u / 5 if name.endswith("weight") else u / 10
    elif len(shape) == 3:
        u = u / 2
    else:
        u = u * numpy.sqrt(6 / (u.size / shape[0]))
    return torch.from_numpy(u.astype(numpy.float32).reshape(shape))


def fill(module, rename=lambda name: name):
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(value(rename(name), tuple(tensor.shape)))


def image(height, width):
    return torch.from_numpy(uniform("image", 3 * height * width).astype(numpy.float32).reshape(1, 3, height, width))
