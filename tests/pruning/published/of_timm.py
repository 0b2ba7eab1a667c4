"""Networks of timm: at least one of every file of architectures."""
import re

from published.network import Network

# NAME, NAME@SIDE: the network is made for images of this side, NAME:SIDE: it takes them, 96 unless said; /DEPTH: fewer blocks.
NAMES = """bat_resnext26ts@256 beit_base_patch16_224@96 botnet26t_256@96 caformer_s18 cait_xs24_384@96 coat_lite_tiny@96
coat_mini@96 coatnet_0_224@96 coatnext_nano_rw_224@96 convformer_s18 convit_tiny@96 convmixer_768_32 convnext_atto
convnext_zepto_rms convnextv2_atto cpubone_nano crossvit_tiny_240 cs3darknet_s cs3sedarknet_xdw csatv2 cspnext_tiny
davit_tiny deepseek_vit_412m@112/2 deit_tiny_patch16_224@96 densenetblur121d dla46x_c dpn48b eca_nfnet_l0 ecaresnet26t
edgenext_xx_small efficientformer_l1@224 efficientformerv2_l@96 efficientnet_b0 efficientnet_b0_g8_gn
efficientnet_cc_b0_4e efficientnet_x_b3 efficientvim_m1 efficientvit_b0 efficientvit_m0@96 ese_vovnet19b_slim
eva02_tiny_patch14_224@96 fasternet_t0 fastvit_mci0 fastvit_t8 fbnetv3_d flexivit_small@96 focalnet_tiny_lrf
gcvit_xxtiny@96 gemma4_vit_167m@96/2 ghostnetv2_100 gmixer_24_224@96 gmlp_ti16_224@96 halonet26t@256 hardcorenas_a
hgnetv2_b0 hiera_tiny_224@96 hrnet_w18_small iformer_t inception_next_atto inception_resnet_v2 inception_v3
inception_v4 lambda_resnet26t@96 lcnetv2_small legacy_seresnet18 legacy_xception levit_conv_128s@96 lowformer_b0
mambaout_femto maxvit_rmlp_pico_rw_256@96 maxxvit_rmlp_nano_rw_256@96 mixer_s16_224@96 mixnet_s
mobilenetv4_conv_aa_medium mobilenetv4_conv_small mobilenetv4_hybrid_medium mobilenetv5_base mobileone_s0@96
mobilevit_s@96 mobilevitv2_050@96 mvitv2_tiny@96 naflexvit_base_patch16_gap@96/3 nasnetalarge nest_tiny@96
nextvit_small nfnet_l0 pit_xs_224@96 pnasnet5large poolformerv2_s12 pvt_v2_b2_li qwen3_vit_88m@96/3 rdnet_tiny
regnetv_040 regnetx_002 repghostnet_050 repvgg_a2@96 repvit_m0_9@96 res2next50 resmlp_12_224@96 resnest26d resnet18
resnet50_gn resnetblur18 resnetv2_18 resnetv2_50d_evos resnetv2_50d_frn resnetv2_50x1_bit rexnet_150 sam2_hiera_tiny
samvit_base_patch16@96/3 selecsls60b sequencer2d_s@96 shvit_s1 skresnet18 starnet_s050 swiftformer_xs@96
swin_s3_tiny_224@96 swinv2_cr_tiny_224@96 swinv2_tiny_window8_256@96 tiny_vit_5m_224 tnt_s_patch16_224@96 tresnet_m
twins_pcpvt_small@96 twins_svt_small@96 vgg11 visformer_tiny@96 vit_dwee_patch16_reg1_gap_256@96
vit_pe_core_tiny_patch16_384@96 vit_relpos_small_patch16_224@96 vit_small_patch14_reg4_dinov2@96
vit_small_patch16_dinov3@96 vit_small_patch16_rope_224@96 vit_small_patch16_rope_mixed_ape_224@96
vit_small_r26_s32_224@96 vit_srelpos_small_patch16_224@96 vit_tiny_patch16_224@96 vitamin_small_224@96 volo_d1_224@96
vovnet39a xception41p xcit_nano_12_p16_224@96""".split()


def networks():
    import timm
    from timm.layers import weight_init
    # Most of the time would go into how weights that are replaced anyway begin.
    weight_init._trunc_normal_ = lambda tensor, mean, std, a, b: tensor.normal_(mean, std)
    for text in NAMES:
        name, mark, side, depth = re.fullmatch(r"(\w+?)(?:([@:])(\d+))?(?:/(\d+))?", text).groups()
        options = {**({"img_size": int(side)} if mark == "@" else {}), **({"depth": int(depth)} if depth else {})}
        yield Network(name, lambda name=name, options=options: timm.create_model(name, pretrained=False, **options),
                      ["1x3x{0}x{0}".format(side or 96)])
