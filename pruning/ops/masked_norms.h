// Norms across channels, written out in TorchScript over the entries where `mask` is 1: MaskedForm::code. x,
// mask [..., C, ...] of one rank; the mask has size 1 along axes of which nothing leaves, so that their size
// may differ from the example's.
#pragma once

namespace mtlprune {

inline constexpr const char* kMaskedLayerNorm = R"(
def layer_norm(x, mask, axes: List[int], weight: Optional[Tensor], bias: Optional[Tensor], eps: float):
    count = mask.expand_as(x).sum(axes, True)
    x = x - (x * mask).sum(axes, True) / count
    x = x / torch.sqrt((x * x * mask).sum(axes, True) / count + eps)
    if weight is not None:
        x = x * weight
    if bias is not None:
        x = x + bias
    return x * mask
)";

inline constexpr const char* kMaskedRmsNorm = R"(
def rms_norm(x, mask, axes: List[int], weight: Optional[Tensor], eps: Optional[float]):
    smallest = 1.1920928955078125e-07 if x.dtype == 6 else 2.220446049250313e-16
    least = eps if eps is not None else smallest
    x = x / torch.sqrt((x * x * mask).sum(axes, True) / mask.expand_as(x).sum(axes, True) + least)
    if weight is not None:
        x = x * weight
    return x * mask
)";

inline constexpr const char* kMaskedMean = R"(
def mean(x, mask, axes: List[int], keepdim: bool):
    return (x * mask).sum(axes, keepdim) / mask.expand_as(x).sum(axes, keepdim)
)";

/// Variance or (root) standard deviation, and the mean.
inline constexpr const char* kMaskedSpread = R"(
def spread(x, mask, axes: List[int], correction: float, root: bool, keepdim: bool):
    whole = mask.expand_as(x)
    centred = (x - (x * mask).sum(axes, True) / whole.sum(axes, True)) * mask
    variance = (centred * centred).sum(axes, keepdim) / (whole.sum(axes, keepdim) - correction)
    mean = (x * mask).sum(axes, keepdim) / whole.sum(axes, keepdim)
    return torch.sqrt(variance) if root else variance, mean
)";

inline constexpr const char* kMaskedGroupNorm = R"(
def group_norm(x, mask, axes: List[int], num_groups: int, weight: Optional[Tensor], bias: Optional[Tensor],
               eps: float):
    shape = x.shape
    g = x.reshape([x.size(0), num_groups, x.size(1) // num_groups, -1])
    m = mask.reshape([1, num_groups, x.size(1) // num_groups, 1]).expand_as(g)
    count = m.sum([2, 3], True)
    g = g - (g * m).sum([2, 3], True) / count
    g = (g / torch.sqrt((g * g * m).sum([2, 3], True) / count + eps)).reshape(shape)
    wide = [1, -1] + [1] * (len(shape) - 2)
    if weight is not None:
        g = g * weight.view(wide)
    if bias is not None:
        g = g + bias.view(wide)
    return g * mask
)";

inline constexpr const char* kMaskedBatchNorm = R"(
def batch_norm(x, mask, axes: List[int], weight: Optional[Tensor], bias: Optional[Tensor], eps: float):
    count = mask.expand_as(x).sum(axes, True)
    x = x - (x * mask).sum(axes, True) / count
    x = x / torch.sqrt((x * x * mask).sum(axes, True) / count + eps)
    wide = [1, -1] + [1] * (x.dim() - 2)
    if weight is not None:
        x = x * weight.view(wide)
    if bias is not None:
        x = x + bias.view(wide)
    return x * mask
)";

}  // namespace mtlprune
