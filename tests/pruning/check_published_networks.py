#!/usr/bin/env python3
"""Prunes published networks and compares each with what PyTorch computes without the channels that left.

    check_published_networks.py MTLPRUNE [--filter REGEX] [--table FILE.csv] [-- OPTIONS OF prune-torchscript]
    check_published_networks.py build/bin/mtlprune --filter 'timm/(beit|coat)' -- --ratio 0.3 --round-to 8

Networks come from torchvision, timm and transformers, whichever are installed (seen with 0.14, 0.9.16 and 4.30.2, and PyTorch
1.13). Each gets random weights, is traced and pruned; then, in Python, all slices that plan.json lists are set to zero and
norms across channels leave out what left: layer, group, RMS and response norms, standardised weights. The error is the norm
of the difference over the norm of the output, on two random inputs, in float32; in float64 where it exceeds 3e-5, since
some networks amplify rounding. Exit code 1 when that exceeds 3e-5 too.
"""
import argparse
import contextlib
import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F

TOLERANCE = 3e-5
IMAGE = (1, 3, 224, 224)


class OneOutput(torch.nn.Module):
    """A network of transformers that returns its first output alone."""

    def __init__(self, network, **options):
        super().__init__()
        self.network, self.options = network, options

    def forward(self, *inputs):
        return self.network(*inputs, return_dict=False, **self.options)[0]


class Dense(torch.nn.Module):
    """Backbone and head of a detector, without anchors and boxes."""

    def __init__(self, detector):
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, image):
        return self.head(list(self.backbone(image).values()))


def torchvision_networks():
    import torchvision.models as models
    from torchvision.models import detection, optical_flow, segmentation, video
    for name in ("alexnet", "efficientnet_v2_s", "mobilenet_v3_small", "mobilenet_v3_large", "regnet_x_400mf", "resnet101",
                 "wide_resnet50_2", "vgg11_bn", "squeezenet1_0", "shufflenet_v2_x0_5", "swin_v2_t", "maxvit_t", "densenet169",
                 "convnext_small", "vit_b_32"):
        yield name, lambda name=name: getattr(models, name)(weights=None), [IMAGE]
    yield "inception_v3", lambda: models.inception_v3(weights=None, aux_logits=False, init_weights=False), [(1, 3, 299, 299)]
    plain = dict(weights=None, weights_backbone=None)
    yield "lraspp_mobilenet_v3_large", lambda: segmentation.lraspp_mobilenet_v3_large(**plain), [IMAGE]
    yield "deeplabv3_mobilenet_v3_large", lambda: segmentation.deeplabv3_mobilenet_v3_large(**plain, aux_loss=True), [IMAGE]
    yield "fcn_resnet50_auxiliary", lambda: segmentation.fcn_resnet50(**plain, aux_loss=True), [(1, 3, 129, 129)]
    for name in ("r3d_18", "mc3_18", "r2plus1d_18"):
        yield name, lambda name=name: getattr(video, name)(weights=None), [(1, 3, 8, 112, 112)]
    for name in ("s3d", "mvit_v1_b", "mvit_v2_s"):
        yield name, lambda name=name: getattr(video, name)(weights=None), [(1, 3, 16, 224, 224)]
    for name in ("raft_small", "raft_large"):
        yield name, lambda name=name: getattr(optical_flow, name)(weights=None), [(1, 3, 128, 128)] * 2
    for name in ("retinanet_resnet50_fpn", "fcos_resnet50_fpn"):
        yield name, lambda name=name: Dense(getattr(detection, name)(**plain)), [(1, 3, 128, 128)]
    for name, side in (("fasterrcnn_resnet50_fpn_v2", 256), ("ssd300_vgg16", 300), ("ssdlite320_mobilenet_v3_large", 320)):
        yield name + "_backbone", lambda name=name: getattr(detection, name)(**plain).backbone, [(1, 3, side, side)]


# At least one network of every family.
TIMM = """beit_base_patch16_224 botnet26t_256 caformer_s18 cait_xs24_384 coat_mini coatnet_0_224 convit_tiny convmixer_768_32
convnext_atto convnextv2_atto crossvit_18_240 cspresnet50 davit_tiny deit_tiny_patch16_224 densenet264d dla34 dpn68
edgenext_small efficientformer_l1 efficientformerv2_l efficientnet_b0 efficientvit_b0 efficientvit_m0
eva02_tiny_patch14_224 fastvit_t8 fbnetv3_d flexivit_small focalnet_tiny_lrf gcvit_tiny gernet_s ghostnet_050 gmixer_24_224
gmlp_b16_224 halonet26t hardcorenas_a hgnet_tiny hrnet_w18 inception_next_tiny inception_resnet_v2 inception_v3
inception_v4 lambda_resnet26t lcnet_035 legacy_seresnet18 legacy_xception levit_128 mixer_s16_224 mixnet_s mobilevit_s
mobilevitv2_050 mvitv2_tiny nasnetalarge nest_tiny nextvit_small nf_resnet26 nfnet_l0 pit_xs_224 pnasnet5large
poolformer_s12 pvt_v2_b0 regnetv_040 repghostnet_050 repvgg_a2 repvit_m1_0 res2net50d resmlp_12_224 resnest26d resnet18
resnetv2_50 resnetv2_50x1_bit rexnet_150 samvit_base_patch16 selecsls42 sequencer2d_s skresnet18 swin_s3_tiny_224
swinv2_cr_tiny_224 swinv2_tiny_window8_256 tiny_vit_5m_224 tnt_b_patch16_224 tresnet_l twins_svt_small vgg11
visformer_tiny vit_base_r26_s32_224 vit_relpos_small_patch16_224 volo_d1_224 vovnet39a xception41
xcit_nano_12_p16_224""".split()


def timm_networks():
    import timm
    for name in TIMM:
        shape = timm.models.get_pretrained_cfg(name).input_size
        yield name, lambda name=name: timm.create_model(name, pretrained=False), [(1, *shape)]


def transformers_networks():
    import transformers as t
    words, pixels = ("words", 12), [(1, 3, 64, 64)]
    size = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96)
    text = dict(vocab_size=100, **size)
    gpt = dict(n_layer=2, n_head=4, vocab_size=100)
    for kind in ("Bert", "Roberta", "Electra", "Albert"):
        yield kind, lambda kind=kind: OneOutput(getattr(t, kind + "ForSequenceClassification")(
            getattr(t, kind + "Config")(**text, **({} if kind in ("Bert", "Roberta") else {"embedding_size": 32})))), [words]
    yield "BertForMaskedLM", lambda: OneOutput(t.BertForMaskedLM(t.BertConfig(**text))), [words]
    yield "DistilBert", lambda: OneOutput(t.DistilBertForSequenceClassification(
        t.DistilBertConfig(dim=64, n_layers=2, n_heads=4, hidden_dim=96, vocab_size=100))), [words]
    yield "GPT2", lambda: OneOutput(t.GPT2LMHeadModel(t.GPT2Config(n_embd=64, **gpt)), use_cache=False), [words]
    yield "GPTNeo", lambda: OneOutput(t.GPTNeoForCausalLM(t.GPTNeoConfig(
        hidden_size=64, num_layers=2, num_heads=4, vocab_size=100, attention_types=[[["global", "local"], 1]])),
        use_cache=False), [words]
    yield "GPTNeoX", lambda: OneOutput(t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**text)), use_cache=False), [words]
    yield "Llama", lambda: OneOutput(t.LlamaForCausalLM(t.LlamaConfig(**text)), use_cache=False), [words]
    yield "OPT", lambda: OneOutput(t.OPTForCausalLM(t.OPTConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, ffn_dim=96, vocab_size=100, word_embed_proj_dim=64)),
        use_cache=False), [words]
    yield "Bloom", lambda: OneOutput(t.BloomForCausalLM(t.BloomConfig(hidden_size=64, **gpt)), use_cache=False), [words]
    yield "T5", t5, [words, words]
    yield "ViT", lambda: OneOutput(t.ViTForImageClassification(t.ViTConfig(image_size=64, **size))), pixels
    yield "Swin", lambda: OneOutput(t.SwinForImageClassification(t.SwinConfig(
        image_size=64, patch_size=4, embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=4))), pixels
    yield "Segformer", lambda: OneOutput(t.SegformerForSemanticSegmentation(t.SegformerConfig(depths=[1] * 4))), pixels
    yield "GLPN", lambda: OneOutput(t.GLPNForDepthEstimation(t.GLPNConfig(depths=[1] * 4))), pixels
    yield "DPT", lambda: OneOutput(t.DPTForDepthEstimation(t.DPTConfig(
        image_size=64, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=96,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[16, 32, 48, 64], fusion_hidden_size=32))), pixels
    yield "MobileViT", lambda: OneOutput(t.MobileViTForImageClassification(t.MobileViTConfig())), [(1, 3, 256, 256)]
    yield "Wav2Vec2", lambda: OneOutput(t.Wav2Vec2ForCTC(t.Wav2Vec2Config(
        conv_dim=(32, 32, 32), conv_stride=(5, 2, 2), conv_kernel=(10, 3, 3), num_feat_extract_layers=3,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **text))), [(1, 1600)]


def t5():
    import transformers as t
    network = t.T5ForConditionalGeneration(
        t.T5Config(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, vocab_size=100))

    class EncoderAndDecoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, words, answer):
            return self.network(input_ids=words, decoder_input_ids=answer, use_cache=False, return_dict=False)[0]

    return EncoderAndDecoder()


def draw(shape):
    return torch.randint(0, 100, (1, shape[1])) if shape[0] == "words" else torch.randn(*shape)


def text_of(shape):
    return f"1x{shape[1]}:int64" if shape[0] == "words" else "x".join(map(str, shape))


def randomise(network):
    """Values that make every channel matter, so that a wrongly removed one is seen."""
    with torch.no_grad():
        for module in network.modules():
            if getattr(module, "running_mean", None) is not None:
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
        for value in network.parameters():
            if value.numel() > 0 and value.abs().max() < 1e-3:
                value.uniform_(-0.1, 0.1)
            elif value.dim() == 1 and value.numel() > 0 and (value == 1).all():
                value.uniform_(0.5, 1.5)


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

    def mask_of(self, weight):
        mask = None if weight is None else self.masks.get(id(weight))
        return None if mask is None else mask.to(weight.dtype)

    def layer_norm(self, x, shape, weight=None, bias=None, eps=1e-5):
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

    def rms_norm(self, module, x):
        mask = self.mask_of(module.weight)
        mask = torch.ones_like(module.weight) if mask is None else mask
        return module.weight * masked_statistics(x, mask.expand(x.shape), (-1,), module.variance_epsilon, centred=False)

    def response_norm(self, module, x):
        mask = self.mask_of(module.weight)
        if mask is None:
            return type(module).forward(module, x)
        g = x.norm(p=2, dim=module.spatial_dim, keepdim=True)
        wide = mask.view(module.wb_shape)
        mean = (g * wide).sum(module.channel_dim, keepdim=True) / mask.sum()
        return x + torch.addcmul(module.bias.view(module.wb_shape), module.weight.view(module.wb_shape),
                                 x * (g / (mean + module.eps)))

    @contextlib.contextmanager
    def installed(self, network):
        by_class = {"LlamaRMSNorm": self.rms_norm, "T5LayerNorm": self.rms_norm,
                    "GlobalResponseNorm": self.response_norm}
        for name in self.functions:
            setattr(F, name, getattr(self, name))
        for module in network.modules():
            replacement = by_class.get(type(module).__name__)
            if replacement:
                module.forward = lambda x, module=module, replacement=replacement: replacement(module, x)
        try:
            yield
        finally:
            for name, function in self.functions.items():
                setattr(F, name, function)


def tensors_in(output):
    if torch.is_tensor(output):
        return [output]
    values = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else []
    return [tensor for value in values for tensor in tensors_in(value)]


def zero(network, removed):
    """Sets what left to zero; returns which entries of vectors stay."""
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


def worst_error(network, pruned, removed, shapes):
    masks = zero(network, removed)
    error = compare(network, pruned, masks, shapes, torch.float32)
    if error > TOLERANCE:  # or rounding that the network amplifies
        error = compare(network.double(), pruned.double(), masks, shapes, torch.float64)
    return error


def compare(network, pruned, masks, shapes, dtype):
    worst = 0.0
    with MaskedNorms(masks).installed(network):
        for seed in (1, 2):
            torch.manual_seed(seed)
            inputs = [draw(shape) for shape in shapes]
            inputs = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
            expected, found = tensors_in(network(*inputs)), tensors_in(pruned(*inputs))
            if [value.shape for value in expected] != [value.shape for value in found]:
                return float("inf")
            for a, b in zip(expected, found):
                worst = max(worst, float((a - b).norm() / a.norm().clamp(min=1e-12)))
    return worst


def check(make, shapes, program, options, folder):
    torch.manual_seed(0)
    network = make().eval()
    randomise(network)
    paths = [os.path.join(folder, name) for name in ("network.pt", "pruned.pt", "plan.json")]
    torch.jit.trace(network, tuple(draw(shape) for shape in shapes), strict=False, check_trace=False).save(paths[0])
    inputs = [word for shape in shapes for word in ("--input", text_of(shape))]
    done = subprocess.run([program, "prune-torchscript", paths[0], *inputs, "--out", paths[1], "--plan", paths[2], *options],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    report = json.loads(done.stdout.strip().splitlines()[-1])
    with open(paths[2], encoding="utf-8") as file:
        plan = json.load(file)
    with torch.no_grad():
        error = worst_error(network, torch.jit.load(paths[1]), plan["removed"], shapes)
    share = {key: report["after"][key] / report["before"][key] for key in ("parameters", "macs")}
    return {"parameters": report["before"]["parameters"], "parameters left": f"{share['parameters']:.3f}",
            "MACs left": f"{share['macs']:.3f}", "error": f"{error:.1e}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mtlprune")
    parser.add_argument("--filter", default="", help="regular expression, on PACKAGE/NETWORK")
    parser.add_argument("--table", help="CSV file to write")
    own = sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    arguments, options = parser.parse_args(own), sys.argv[2 + len(own):]
    torch.set_num_threads(1)
    packages = {"torchvision": torchvision_networks, "timm": timm_networks, "transformers": transformers_networks}
    rows, wrong = [], 0
    for package, networks in packages.items():
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed: skipped")
            continue
        for name, make, shapes in networks():
            if not re.search(arguments.filter, f"{package}/{name}"):
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    row = check(make, shapes, arguments.mtlprune, options, folder)
                except RuntimeError as error:
                    row = {"error": str(error)}
            good = "parameters" in row and float(row["error"]) <= TOLERANCE
            wrong += not good
            rows.append({"network": f"{package}/{name}", **row})
            print("ok   " if good else "WRONG", *rows[-1].values(), flush=True)
    if arguments.table:
        with open(arguments.table, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["network", "parameters", "parameters left", "MACs left", "error"])
            writer.writeheader()
            writer.writerows(rows)
    print(f"{len(rows)} networks, {wrong} wrong or refused")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
