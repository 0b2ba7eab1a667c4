"""Networks of torchvision: classification, segmentation, detection without boxes, video, optical flow."""
import torch

from published.network import Network

PLAIN = dict(weights=None, weights_backbone=None)
NAMES = """alexnet densenet169 efficientnet_v2_s mobilenet_v3_small mobilenet_v3_large regnet_x_400mf regnet_y_800mf resnet101
wide_resnet50_2 resnext101_32x8d vgg11_bn squeezenet1_0 shufflenet_v2_x0_5 mnasnet0_5 convnext_small""".split()


class Dense(torch.nn.Module):
    """Backbone and head of a detector, without anchors and boxes."""

    def __init__(self, detector):
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, image):
        return self.head(list(self.backbone(image).values()))


class Proposals(torch.nn.Module):
    """Backbone and head of a region proposal network."""

    def __init__(self, detector):
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.rpn.head

    def forward(self, image):
        return self.head(list(self.backbone(image).values()))


def small_mvit(video, name):
    """For shorter and smaller videos than the names of torchvision make it for."""
    make = video.mvit._mvit
    try:
        video.mvit._mvit = lambda **options: make(**{**options, "spatial_size": (64, 64), "temporal_size": 8})
        return getattr(video, name)(weights=None)
    finally:
        video.mvit._mvit = make


def networks():
    import torchvision.models as models
    from torchvision.models import detection, optical_flow, quantization, segmentation, video
    for name in NAMES:
        yield Network(name, lambda name=name: getattr(models, name)(weights=None), ["1x3x96x96"])
    yield Network("swin_v2_t", lambda: models.swin_v2_t(weights=None), ["1x3x128x128"])
    yield Network("maxvit_t", lambda: models.maxvit_t(weights=None, input_size=(224, 224)), ["1x3x224x224"])
    yield Network("vit_b_32", lambda: models.vit_b_32(weights=None, image_size=96), ["1x3x96x96"])
    yield Network("inception_v3", lambda: models.inception_v3(weights=None, aux_logits=False, init_weights=False), ["1x3x160x160"])
    for name in ("resnet18", "mobilenet_v2", "googlenet", "shufflenet_v2_x1_0"):
        options = dict(init_weights=False, aux_logits=False) if name == "googlenet" else {}
        yield Network(f"quantizable_{name}", lambda name=name, options=options: getattr(quantization, name)(
            weights=None, quantize=False, **options), ["1x3x96x96"])
    yield Network("lraspp_mobilenet_v3_large", lambda: segmentation.lraspp_mobilenet_v3_large(**PLAIN), ["1x3x96x96"])
    yield Network("deeplabv3_mobilenet_v3_large", lambda: segmentation.deeplabv3_mobilenet_v3_large(**PLAIN, aux_loss=True),
                  ["1x3x96x96"])
    yield Network("fcn_resnet50_auxiliary", lambda: segmentation.fcn_resnet50(**PLAIN, aux_loss=True), ["1x3x65x65"])
    for name in ("r3d_18", "mc3_18", "r2plus1d_18"):
        yield Network(name, lambda name=name: getattr(video, name)(weights=None), ["1x3x8x48x48"])
    yield Network("s3d", lambda: video.s3d(weights=None), ["1x3x16x224x224"], [["1x3x16x256x224"]])
    for name in ("mvit_v1_b", "mvit_v2_s"):
        yield Network(name, lambda name=name: small_mvit(video, name), ["1x3x8x64x64"])
    for name in ("raft_small", "raft_large"):
        yield Network(name, lambda name=name: getattr(optical_flow, name)(weights=None), ["1x3x128x128"] * 2)
    for name in ("retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2", "fcos_resnet50_fpn"):
        yield Network(name, lambda name=name: Dense(getattr(detection, name)(**PLAIN)), ["1x3x128x128"])
    yield Network("fasterrcnn_mobilenet_v3_large_fpn", lambda: Proposals(detection.fasterrcnn_mobilenet_v3_large_fpn(**PLAIN)),
                  ["1x3x128x128"])
    for name, side in (("fasterrcnn_resnet50_fpn_v2", 128), ("ssd300_vgg16", 300), ("ssdlite320_mobilenet_v3_large", 128)):
        yield Network(name + "_backbone", lambda name=name: getattr(detection, name)(**PLAIN).backbone, [f"1x3x{side}x{side}"])
