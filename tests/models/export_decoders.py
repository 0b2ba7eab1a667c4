"""Writes decoders.csv: what independent versions of our encoder-decoder and transformer networks compute.

    /usr/bin/python3 tests/models/export_decoders.py tests/models/decoders.csv

ConvNeXt-T and ViT-S/16 are torchvision's; SegNet, MTAN, U-Net and DPT are written here from their papers. All
weights come from a formula of their names (tests/models/weight_formula.h has the same), images too, so that no
weights need to be stored. Computed in float64. Made with PyTorch 1.13 and torchvision 0.14.

Rows: network, quantity, sizes, values. `parameters` and `macs` (multiply-accumulates of convolutions, linear
layers and attention products for one 224x224 image) are counts; other quantities are maps, of which SAMPLES
values, evenly spread, are stored.
"""
import csv
import sys

import torch
from torch import nn
from torch.nn import functional
from weight_formula import fill, image

SAMPLES = 16


def filled(module):
    fill(module)
    return module.double().eval()


# SegNet as MTAN's authors arranged it, and MTAN (Liu et al., CVPR 2019).

FILTERS = [64, 128, 256, 512, 512]


def conv_norm_relu(i, o, bias=True):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=bias), nn.BatchNorm2d(o), nn.ReLU())


def numbered(blocks):
    return nn.ModuleList(blocks)


class SegNet(nn.Module):
    def __init__(self):
        super().__init__()
        out = [FILTERS[max(0, k - 1)] for k in range(5)]
        self.encoder_block = numbered(conv_norm_relu(i, o) for i, o in zip([3] + FILTERS, FILTERS))
        self.decoder_block = numbered(conv_norm_relu(i, o) for i, o in zip(FILTERS, out))
        more = lambda k, c: (conv_norm_relu(c, c) if k < 2 else
                             nn.Sequential(conv_norm_relu(c, c), conv_norm_relu(c, c)))
        self.conv_block_enc = numbered(more(k, FILTERS[k]) for k in range(5))
        self.conv_block_dec = numbered(more(k, out[k]) for k in range(5))

    def forward(self, x):
        maps, indices = [], []
        for k in range(5):
            first = self.encoder_block[k](x)
            last = self.conv_block_enc[k](first)
            x, index = functional.max_pool2d(last, 2, 2, return_indices=True)
            indices.append(index)
            maps += [first, last, x]
        for k in (4, 3, 2, 1, 0):
            unpooled = functional.max_unpool2d(x, indices[k], 2, 2)
            first = self.decoder_block[k](unpooled)
            x = self.conv_block_dec[k](first)
            maps += [unpooled, first, x]
        return maps


def attention(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 1), nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 1), nn.BatchNorm2d(o),
                         nn.Sigmoid())


class Mtan(nn.Module):
    """One task's part."""

    def __init__(self, channels):
        super().__init__()
        f = FILTERS
        self.encoder_att = numbered([attention(f[0], f[0])] + [attention(2 * c, c) for c in f[1:]])
        self.decoder_att = numbered([attention(2 * f[0], f[0])] +
                                    [attention(f[k] + f[k - 1], f[k - 1]) for k in range(1, 5)])
        self.encoder_block_att = numbered(conv_norm_relu(f[k], f[min(k + 1, 4)]) for k in range(5))
        self.decoder_block_att = numbered(conv_norm_relu(f[k], f[max(k - 1, 0)]) for k in range(5))
        self.pred = nn.Sequential(nn.Conv2d(f[0], f[0], 3, padding=1), nn.Conv2d(f[0], channels, 1))

    def forward(self, maps):
        encoder = [maps[3 * k:3 * k + 3] for k in range(5)]
        decoder = [maps[15 + 3 * j:18 + 3 * j] for j in range(5)]
        carried = None
        for k, (first, last, _) in enumerate(encoder):
            seen = first if carried is None else torch.cat([first, carried], 1)
            gated = self.encoder_att[k](seen) * last
            carried = functional.max_pool2d(self.encoder_block_att[k](gated), 2)
        for k, (unpooled, _, last) in zip((4, 3, 2, 1, 0), decoder):
            carried = functional.interpolate(carried, scale_factor=2, mode='bilinear', align_corners=True)
            carried = self.decoder_block_att[k](carried)
            carried = self.decoder_att[k](torch.cat([unpooled, carried], 1)) * last
        return self.pred(carried)


# U-Net (Ronneberger et al., 2015) with padding; its decoder on the maps of a backbone.

class UNet(nn.Module):
    def __init__(self, base=32, levels=4, batch_norm=True):
        super().__init__()
        def step(i, o):
            layers = [nn.Conv2d(i, o, 3, padding=1, bias=not batch_norm)]
            return nn.Sequential(*layers + ([nn.BatchNorm2d(o)] if batch_norm else []), nn.ReLU())
        widths = [base * 2**k for k in range(levels + 1)]
        self.encoder = numbered(nn.Sequential(step(i, o), step(o, o)) for i, o in zip([3] + widths, widths))
        self.up = numbered(nn.ConvTranspose2d(2 * c, c, 2, 2) for c in widths[:-1])
        self.decoder = numbered(nn.Sequential(step(2 * c, c), step(c, c)) for c in widths[:-1])

    def forward(self, x):
        skips = []
        for k, block in enumerate(self.encoder):
            x = block(x if k == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        maps = [x]
        for k in reversed(range(len(self.up))):
            maps.append(self.decoder[k](torch.cat([skips[k], self.up[k](maps[-1])], 1)))
        return maps


class UNetHead(nn.Module):
    """`channels` of the maps that are read, coarsest first."""

    def __init__(self, channels, hidden, out):
        super().__init__()
        before = [channels[0]] + [hidden] * len(channels)
        self.blocks = numbered(nn.Sequential(conv_norm_relu(b + c, hidden, False),
                                             conv_norm_relu(hidden, hidden, False))
                               for b, c in zip(before, channels[1:]))
        self.pred = nn.Conv2d(hidden, out, 1)

    def forward(self, maps):
        x = maps[0]
        for block, skip in zip(self.blocks, maps[1:]):
            x = functional.interpolate(x, size=skip.shape[2:], mode='bilinear', align_corners=False)
            x = block(torch.cat([skip, x], 1))
        return self.pred(x)


# DPT (Ranftl et al., ICCV 2021).

class Level(nn.Module):
    def __init__(self, level, width, hidden):
        super().__init__()
        c = width // 2**(3 - level)
        self.project = nn.Conv2d(width, c, 1)
        if level < 2:
            self.enlarge = nn.ConvTranspose2d(c, c, 4 // 2**level, 4 // 2**level)
        if level == 3:
            self.halve = nn.Conv2d(c, c, 3, 2, 1)
        self.adapt = nn.Conv2d(c, hidden, 3, padding=1, bias=False)

    def forward(self, x):
        for name in ('project', 'enlarge', 'halve', 'adapt'):
            x = getattr(self, name, nn.Identity())(x)
        return x


class Unit(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x):
        return self.conv2(self.conv1(x.relu()).relu()) + x


def double(x):
    return functional.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)


class Fusion(nn.Module):
    def __init__(self, c, coarsest):
        super().__init__()
        if not coarsest:
            self.unit1 = Unit(c)
        self.unit2, self.out = Unit(c), nn.Conv2d(c, c, 1)

    def forward(self, coarser, x):
        if coarser is not None:
            x = coarser + self.unit1(x)
        return self.out(double(self.unit2(x)))


class Dpt(nn.Module):
    def __init__(self, width, hidden, out):
        super().__init__()
        self.reassemble = numbered(Level(k, width, hidden) for k in range(4))
        self.fusion = numbered(Fusion(hidden, k == 3) for k in range(4))
        self.out = nn.Sequential(nn.Conv2d(hidden, hidden // 2, 3, padding=1),
                                 nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True),
                                 nn.Conv2d(hidden // 2, hidden // 8, 3, padding=1), nn.ReLU(),
                                 nn.Conv2d(hidden // 8, out, 1))

    def forward(self, maps):
        x = None
        for k in (3, 2, 1, 0):
            x = self.fusion[k](x, self.reassemble[k](maps[k]))
        return self.out(x)


# torchvision's, up to what a backbone gives.

class ConvNext(nn.Module):
    def __init__(self):
        super().__init__()
        from torchvision.models import convnext_tiny
        self.features = convnext_tiny(stochastic_depth_prob=0.0).features

    def forward(self, x):
        maps = []
        for k, stage in enumerate(self.features):
            x = stage(x)
            if k % 2 == 1:
                maps.append(x)
        return maps


class Vit(nn.Module):
    """For any image: torchvision's own forward insists on the size it was built for."""

    def __init__(self):
        super().__init__()
        from torchvision.models.vision_transformer import VisionTransformer
        whole = VisionTransformer(image_size=224, patch_size=16, num_layers=12, num_heads=6, hidden_dim=384,
                                  mlp_dim=1536)
        self.class_token, self.conv_proj, self.encoder = whole.class_token, whole.conv_proj, whole.encoder

    def forward(self, x):
        x = self.conv_proj(x)
        n, _, h, w = x.shape
        position = self.encoder.pos_embedding
        if (h, w) != (14, 14):
            grid = position[:, 1:].reshape(1, 14, 14, -1).permute(0, 3, 1, 2)
            grid = functional.interpolate(grid, size=(h, w), mode='bicubic', align_corners=False)
            position = torch.cat([position[:, :1], grid.permute(0, 2, 3, 1).reshape(1, h * w, -1)], 1)
        first = self.class_token.expand(n, -1, -1)
        x = torch.cat([first, x.reshape(n, -1, h * w).permute(0, 2, 1)], 1) + position
        maps = []
        for k, layer in enumerate(self.encoder.layers):
            x = layer(x)
            if k % 3 == 2:
                tokens = self.encoder.ln(x) if k == 11 else x
                maps.append(tokens[:, 1:].permute(0, 2, 1).reshape(n, -1, h, w))
        return maps


# Counts and rows.

def count_macs(network, *inputs):
    total = 0

    def count(layer, arguments, output):
        nonlocal total
        if isinstance(layer, nn.ConvTranspose2d):
            total += arguments[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Conv2d):
            total += output.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features
        elif isinstance(layer, nn.MultiheadAttention):  # in, scores, mixing, out
            tokens, width = output[0].shape[1:]
            total += 4 * tokens * width**2 + 2 * tokens**2 * width

    handles = [layer.register_forward_hook(count) for layer in network.modules()
               if not isinstance(layer, nn.modules.linear.NonDynamicallyQuantizableLinear)]
    result = network(*inputs)
    for handle in handles:
        handle.remove()
    return total, result


def sample(tensor):
    flat = tensor.reshape(-1)
    places = [k * (flat.numel() - 1) // (SAMPLES - 1) for k in range(SAMPLES)]
    return ' '.join('%.9g' % v for v in [flat[place].item() for place in places] + [flat.abs().mean().item()])


def rows(name, network, inputs, large):
    """`inputs` for the stored maps, `large` for the count; both lists of arguments."""
    macs, results = count_macs(network, *large)
    yield [name, 'parameters', '', sum(p.numel() for p in network.parameters())]
    yield [name, 'macs', '', macs]
    maps = network(*inputs)
    for k, one in enumerate(maps if isinstance(maps, list) else [maps]):
        yield [name, k, 'x'.join(map(str, one.shape)), sample(one)]


def all_rows():
    small, large = image(64, 96).double(), image(224, 224).double()
    backbones = {'segnet': SegNet(), 'unet': UNet(), 'unet_plain': UNet(8, 2, False), 'convnext_t': ConvNext(),
                 'vit_s16': Vit()}
    for name, network in backbones.items():
        yield from rows(name, filled(network), [small], [large])
    for k, one in enumerate(backbones['vit_s16'](large)):
        yield ['vit_s16_224', k, 'x'.join(map(str, one.shape)), sample(one)]
    heads = {'segnet/mtan': Mtan(13), 'convnext_t/unet': UNetHead([768, 384, 192, 96], 64, 13),
             'vit_s16/dpt': Dpt(384, 256, 13)}
    for name, head in heads.items():
        backbone = backbones[name.split('/')[0]]
        order = (lambda maps: maps[::-1]) if head is heads['convnext_t/unet'] else (lambda maps: maps)
        yield from rows(name, filled(head), [order(backbone(small))], [order(backbone(large))])


def main():
    with torch.no_grad(), open(sys.argv[1], 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['network', 'quantity', 'sizes', 'values'])
        writer.writerows(all_rows())


if __name__ == '__main__':
    main()
