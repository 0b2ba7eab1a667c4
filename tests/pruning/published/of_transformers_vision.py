"""Networks of transformers with small sizes and random weights: images, video, images with text."""
from published.network import Called, Network

SIZE = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96)
PIXELS = "1x3x64x64"
IMAGE = dict(image_size=64, **SIZE)
RESNET = dict(embedding_size=16, hidden_sizes=[32, 64, 96, 128], depths=[1, 1, 1, 1], layer_type="basic")
DETECTOR = dict(d_model=64, encoder_layers=1, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
                encoder_ffn_dim=96, decoder_ffn_dim=96, num_queries=10, use_timm_backbone=False,
                use_pretrained_backbone=False, backbone=None)
SWIN = dict(image_size=64, patch_size=4, embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=4)

# Network, head, sizes: one image, one output.
SEERS = [
    ("ViT", "ForImageClassification", IMAGE), ("DeiT", "ForImageClassification", IMAGE),
    ("Beit", "ForImageClassification", dict(IMAGE, use_relative_position_bias=True)),
    ("Beit", "ForSemanticSegmentation", dict(IMAGE, num_hidden_layers=4, out_indices=[1, 2, 3, 4], use_auxiliary_head=False,
                                             pool_scales=[1, 2])),
    ("Data2VecVision", "ForImageClassification", dict(IMAGE, use_relative_position_bias=True)),
    ("Dinov2", "ForImageClassification", dict(image_size=56, patch_size=14, hidden_size=64, num_hidden_layers=2,
                                              num_attention_heads=4)),
    ("ViTMSN", "ForImageClassification", IMAGE), ("Yolos", "ForObjectDetection", dict(IMAGE, image_size=[64, 64],
                                                                                      num_detection_tokens=10)),
    ("Swin", "ForImageClassification", SWIN), ("Swinv2", "ForImageClassification", dict(SWIN, window_size=8)),
    ("Swin2SR", "ForImageSuperResolution", dict(image_size=64, embed_dim=24, depths=[2], num_heads=[2], window_size=8,
                                                upscale=2)),
    ("DonutSwin", "Model", SWIN),
    ("Segformer", "ForSemanticSegmentation", dict(depths=[1] * 4)), ("GLPN", "ForDepthEstimation", dict(depths=[1] * 4)),
    ("DPT", "ForDepthEstimation", dict(IMAGE, num_hidden_layers=4, backbone_out_indices=[0, 1, 2, 3],
                                       neck_hidden_sizes=[16, 32, 48, 64], fusion_hidden_size=32)),
    ("MobileViT", "ForImageClassification", {}), ("MobileViT", "ForSemanticSegmentation", {}),
    ("MobileViTV2", "ForImageClassification", dict(width_multiplier=0.5)),
    ("MobileNetV1", "ForImageClassification", dict(depth_multiplier=0.5)), ("MobileNetV2", "ForSemanticSegmentation", {}),
    ("ConvNext", "ForImageClassification", dict(hidden_sizes=[16, 32, 48, 64], depths=[1] * 4)),
    ("ConvNextV2", "ForImageClassification", dict(hidden_sizes=[16, 32, 48, 64], depths=[1] * 4)),
    ("Cvt", "ForImageClassification", dict(depth=[1, 2, 3], embed_dim=[16, 32, 64], num_heads=[1, 2, 4])),
    ("Pvt", "ForImageClassification", dict(image_size=64, depths=[1] * 4, hidden_sizes=[16, 32, 64, 64],
                                           num_attention_heads=[1, 2, 4, 4], mlp_ratios=[4] * 4)),
    ("PvtV2", "ForImageClassification", dict(image_size=64, depths=[1] * 4, hidden_sizes=[16, 32, 64, 64],
                                             num_attention_heads=[1, 2, 4, 4], mlp_ratios=[4] * 4)),
    ("PoolFormer", "ForImageClassification", dict(depths=[1] * 4, hidden_sizes=[16, 32, 48, 64])),
    ("FocalNet", "ForImageClassification", dict(image_size=64, embed_dim=24, depths=[1] * 4)),
    ("SwiftFormer", "ForImageClassification", dict(depths=[1, 1, 2, 1], embed_dims=[16, 32, 48, 64])),
    ("Hiera", "ForImageClassification", dict(image_size=[64, 64], embed_dim=24, depths=[1, 1, 1, 1])),
    ("Van", "ForImageClassification", dict(hidden_sizes=[16, 32, 48, 64], depths=[1] * 4)),
    ("EfficientFormer", "ForImageClassification", dict(depths=[1, 1, 1, 2], hidden_sizes=[16, 32, 48, 64], dim=64, resolution=2,
                                                       num_meta3d_blocks=1, key_dim=16, num_attention_heads=4)),
    ("Levit", "ForImageClassification", dict(image_size=64, hidden_sizes=[32, 48, 64], depths=[1] * 3, key_dim=[8] * 3,
                                             num_attention_heads=[2, 3, 4])),
    ("RegNet", "ForImageClassification", dict(embedding_size=16, hidden_sizes=[32, 64, 96, 128], depths=[1] * 4,
                                              groups_width=8)),
    ("ResNet", "ForImageClassification", RESNET),
    ("Bit", "ForImageClassification", dict(embedding_size=32, hidden_sizes=[128, 128, 256, 256], depths=[1] * 4)),
    ("EfficientNet", "ForImageClassification", dict(width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=640)),
]


def networks():
    import transformers as t
    for kind, head, sizes in SEERS:
        yield Network(kind + head, lambda kind=kind, head=head, sizes=sizes: Called(
            getattr(t, kind + head)(getattr(t, kind + "Config")(**sizes))), [
                {"MobileViT": "1x3x128x128", "Dinov2": "1x3x56x56"}.get(kind, PIXELS)])
    yield from detectors(t)
    yield from segmenters(t)
    yield from with_text(t)
    yield from videos(t)


def detectors(t):
    plain = t.ResNetConfig(**RESNET, out_features=["stage4"])
    several = t.ResNetConfig(**RESNET, out_features=["stage2", "stage3", "stage4"])
    boxes = dict(outputs=(0, 1))
    yield Network("Detr", lambda: Called(t.DetrForObjectDetection(t.DetrConfig(**DETECTOR, backbone_config=plain)), **boxes),
                  [PIXELS])
    yield Network("DetrForSegmentation", lambda: Called(t.DetrForSegmentation(t.DetrConfig(
        **dict(DETECTOR, encoder_attention_heads=8, decoder_attention_heads=8),
        backbone_config=t.ResNetConfig(**RESNET, out_features=["stage1", "stage2", "stage3", "stage4"]))),
        outputs=(0, 1, 2)), [PIXELS])
    yield Network("ConditionalDetr", lambda: Called(t.ConditionalDetrForObjectDetection(t.ConditionalDetrConfig(
        **dict(DETECTOR, d_model=256), backbone_config=plain)), return_dict=True, **boxes), [PIXELS])
    yield Network("TableTransformer", lambda: Called(t.TableTransformerForObjectDetection(t.TableTransformerConfig(
        **DETECTOR, backbone_config=plain)), **boxes), [PIXELS])
    yield Network("DeformableDetr", lambda: Called(t.DeformableDetrForObjectDetection(t.DeformableDetrConfig(
        **DETECTOR, backbone_config=several, disable_custom_kernels=True)), **boxes), [PIXELS])
    yield Network("DeformableDetrTwoStage", lambda: Called(t.DeformableDetrForObjectDetection(t.DeformableDetrConfig(
        **DETECTOR, backbone_config=several, disable_custom_kernels=True, two_stage=True, with_box_refine=True,
        two_stage_num_proposals=10)), **boxes), [PIXELS])
    yield Network("Deta", lambda: Called(t.DetaForObjectDetection(t.DetaConfig(
        **DETECTOR, backbone_config=several, num_feature_levels=4, two_stage=False, with_box_refine=False,
        assign_first_stage=False, disable_custom_kernels=True)), **boxes), [PIXELS])


def segmenters(t):
    swin = t.SwinConfig(image_size=64, embed_dim=16, depths=[1] * 4, num_heads=[1, 2, 4, 4], window_size=2,
                        out_features=["stage1", "stage2", "stage3", "stage4"])
    yield Network("UperNet", lambda: Called(t.UperNetForSemanticSegmentation(t.UperNetConfig(
        backbone_config=t.ConvNextConfig(hidden_sizes=[16, 32, 48, 64], depths=[1] * 4,
                                         out_features=["stage1", "stage2", "stage3", "stage4"]),
        hidden_size=32, pool_scales=[1, 2], use_auxiliary_head=False, auxiliary_in_channels=48))), [PIXELS])
    yield Network("UperNetSwin", lambda: Called(t.UperNetForSemanticSegmentation(t.UperNetConfig(
        backbone_config=swin, hidden_size=32, pool_scales=[1, 2], use_auxiliary_head=False, auxiliary_in_channels=64))), [PIXELS])
    yield Network("MaskFormer", lambda: Called(t.MaskFormerForInstanceSegmentation(t.MaskFormerConfig(
        fpn_feature_size=32, mask_feature_size=32, backbone_config=swin,
        decoder_config=t.DetrConfig(**{k: v for k, v in DETECTOR.items() if "backbone" not in k}))), outputs=(0, 1)), [PIXELS])
    yield Network("Mask2Former", lambda: Called(t.Mask2FormerForUniversalSegmentation(t.Mask2FormerConfig(
        backbone_config=swin, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=48,
        encoder_layers=1, decoder_layers=2, num_attention_heads=4, dim_feedforward=48, num_queries=10)), outputs=(0, 1)), [PIXELS])
    yield Network("VitMatte", lambda: Called(t.VitMatteForImageMatting(t.VitMatteConfig(
        backbone_config=t.VitDetConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=64,
                                       pretrain_image_size=64, num_channels=4, out_features=["stage2"]),
        hidden_size=64, convstream_hidden_sizes=[16, 24, 32], fusion_hidden_sizes=[64, 32, 24, 16]))), ["1x4x64x64"])
    yield Network("DepthAnything", lambda: Called(t.DepthAnythingForDepthEstimation(t.DepthAnythingConfig(
        backbone_config=t.Dinov2Config(image_size=56, patch_size=14, hidden_size=64, num_hidden_layers=4,
                                       num_attention_heads=4, out_indices=[1, 2, 3, 4], reshape_hidden_states=False),
        reassemble_hidden_size=64, neck_hidden_sizes=[16, 32, 48, 64], fusion_hidden_size=32, head_hidden_size=16))), ["1x3x56x56"])
    yield Network("Sam", lambda: Called(t.SamModel(t.SamConfig(
        vision_config=dict(hidden_size=64, output_channels=32, num_hidden_layers=2, num_attention_heads=4, image_size=64,
                           patch_size=8, mlp_dim=96, window_size=4, global_attn_indexes=[1], num_pos_feats=16),
        prompt_encoder_config=dict(hidden_size=32, image_size=64, patch_size=8, mask_input_channels=8),
        mask_decoder_config=dict(hidden_size=32, mlp_dim=48, num_attention_heads=4, iou_head_hidden_dim=32))),
        ("pixel_values", "input_points"), outputs=(0, 1)), [PIXELS, "1x1x2x2"], [["1x3x64x64", "1x1x3x2"]])


def with_text(t):
    words = "1x12:int64"
    side = dict(vocab_size=100, max_position_embeddings=32, pad_token_id=0, bos_token_id=1, eos_token_id=2, **SIZE)
    vision = dict(IMAGE, patch_size=16)
    longer = [[PIXELS, "1x17:int64"]]
    named = dict(names=("pixel_values", "input_ids"), outputs=(0, 1))
    yield Network("CLIP", lambda: Called(t.CLIPModel(t.CLIPConfig(text_config=side, vision_config=vision, projection_dim=32)),
                                         **named), [PIXELS, words], longer)
    yield Network("Siglip", lambda: Called(t.SiglipModel(t.SiglipConfig(text_config=side, vision_config=vision)), **named),
                  [PIXELS, words], longer)
    yield Network("CLIPSeg", lambda: Called(t.CLIPSegForImageSegmentation(t.CLIPSegConfig(
        text_config=side, vision_config=vision, projection_dim=32, extract_layers=[0, 1], reduce_dim=32,
        decoder_num_attention_heads=4, decoder_intermediate_size=48)), names=("pixel_values", "input_ids")), [PIXELS, words], longer)
    yield Network("GroupViT", lambda: Called(t.GroupViTModel(t.GroupViTConfig(
        text_config=side, projection_dim=32, projection_intermediate_dim=48,
        vision_config=dict(hidden_size=64, intermediate_size=96, depths=[1, 1, 1], num_attention_heads=4, image_size=64,
                           patch_size=8, num_group_tokens=[8, 4, 0], num_output_groups=[8, 4, 0]))), **named), [PIXELS, words], longer)
    yield Network("OwlViT", lambda: Called(t.OwlViTForObjectDetection(t.OwlViTConfig(
        text_config=side, vision_config=vision, projection_dim=64)), names=("pixel_values", "input_ids"), outputs=(0, 1)),
        [PIXELS, words], longer)
    yield Network("Blip", lambda: Called(t.BlipForConditionalGeneration(t.BlipConfig(text_config=dict(side, projection_dim=32,
        encoder_hidden_size=64), vision_config=vision)), names=("pixel_values", "input_ids")), [PIXELS, words], longer)


def videos(t):
    clip = ["1x4x3x32x32"]
    sizes = dict(image_size=32, num_frames=4, **SIZE)
    yield Network("VideoMAE", lambda: Called(t.VideoMAEForVideoClassification(t.VideoMAEConfig(**sizes))), clip)
    yield Network("Vivit", lambda: Called(t.VivitForVideoClassification(t.VivitConfig(**sizes, tubelet_size=[2, 16, 16]))), clip)
    yield Network("TimeSformer", lambda: Called(t.TimesformerForVideoClassification(t.TimesformerConfig(**sizes))), clip)
