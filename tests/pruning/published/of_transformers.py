"""Networks of transformers with small sizes and random weights: text and sound."""
import torch

from published.network import Called, Network

WORDS = "1x12:int64"
SIZE = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96)
TEXT = dict(vocab_size=100, **SIZE)
LLAMA = dict(num_key_value_heads=2, pad_token_id=0, bos_token_id=1, eos_token_id=2, **TEXT)
GPT = dict(n_embd=64, n_layer=2, n_head=4, vocab_size=100)
PAIR = dict(d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
            encoder_ffn_dim=96, decoder_ffn_dim=96, vocab_size=100, pad_token_id=0, max_position_embeddings=64)
SOUND = dict(conv_dim=(32, 32, 32), conv_stride=(5, 2, 2), conv_kernel=(10, 3, 3), num_feat_extract_layers=3,
             num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **TEXT)

# Network, head, sizes: one input of words, one output.
READERS = [
    ("Bert", "ForSequenceClassification", TEXT), ("Bert", "ForMaskedLM", TEXT), ("Bert", "ForQuestionAnswering", TEXT),
    ("Roberta", "ForSequenceClassification", dict(TEXT, max_position_embeddings=64)),
    ("Electra", "ForSequenceClassification", dict(TEXT, embedding_size=32)),
    ("Albert", "ForSequenceClassification", dict(TEXT, embedding_size=32)),
    ("DistilBert", "ForSequenceClassification", dict(dim=64, n_layers=2, n_heads=4, hidden_dim=96, vocab_size=100)),
    ("Deberta", "ForSequenceClassification", dict(TEXT, relative_attention=True, pos_att_type=["p2c", "c2p"])),
    ("DebertaV2", "ForSequenceClassification", dict(TEXT, relative_attention=True, pos_att_type=["p2c", "c2p"],
                                                    position_buckets=8, share_att_key=True, norm_rel_ebd="layer_norm")),
    ("XLNet", "ForSequenceClassification", dict(d_model=64, n_layer=2, n_head=4, d_inner=96, vocab_size=100)),
    ("Longformer", "ForMaskedLM", dict(TEXT, attention_window=[4, 4], max_position_embeddings=64)),
    ("BigBird", "ForMaskedLM", dict(TEXT, attention_type="original_full")),
    ("FNet", "ForMaskedLM", {k: v for k, v in TEXT.items() if k != "num_attention_heads"}),
    ("Funnel", "ForMaskedLM", dict(vocab_size=100, block_sizes=[1, 1], num_decoder_layers=1, d_model=64, n_head=4, d_head=16,
                                   d_inner=96)),
    ("MPNet", "ForMaskedLM", TEXT), ("Nystromformer", "ForMaskedLM", dict(TEXT, num_landmarks=4, segment_means_seq_len=12)),
    ("RoFormer", "ForMaskedLM", dict(TEXT, embedding_size=32)),
    ("SqueezeBert", "ForMaskedLM", dict(TEXT, embedding_size=64)),
    ("ConvBert", "ForMaskedLM", dict(TEXT, embedding_size=64, head_ratio=2, conv_kernel_size=5)),
    ("MobileBert", "ForMaskedLM", dict(TEXT, embedding_size=32, intra_bottleneck_size=32, true_hidden_size=32)),
    ("Canine", "ForSequenceClassification", dict(TEXT, num_hash_buckets=64, local_transformer_stride=8)),
    ("IBert", "ForMaskedLM", dict(TEXT, max_position_embeddings=64)), ("Ernie", "ForMaskedLM", TEXT),
    ("XLM", "WithLMHeadModel", dict(emb_dim=64, n_layers=2, n_heads=4, vocab_size=100, n_words=100, max_position_embeddings=64)),
    ("MegatronBert", "ForMaskedLM", TEXT), ("Esm", "ForMaskedLM", dict(TEXT, position_embedding_type="rotary",
                                                                       pad_token_id=0, mask_token_id=1)),
    ("RemBert", "ForMaskedLM", dict(TEXT, input_embedding_size=32, output_embedding_size=32)),
    ("Luke", "ForMaskedLM", dict(TEXT, entity_vocab_size=10, entity_emb_size=16, max_position_embeddings=64)),
    ("Mega", "ForMaskedLM", dict(vocab_size=100, hidden_size=64, num_hidden_layers=2, intermediate_size=96, ema_projection_size=8,
                                 shared_representation_size=32, use_chunking=False, max_positions=64)),
    ("Perceiver", "ForMaskedLM", dict(vocab_size=100, num_latents=8, d_latents=64, d_model=32, num_self_attends_per_block=2,
                                      num_self_attention_heads=4, num_cross_attention_heads=4, max_position_embeddings=64,
                                      qk_channels=32, v_channels=64)),
]
WRITERS = [
    ("GPT2", "LMHeadModel", GPT), ("GPTJ", "ForCausalLM", dict(GPT, rotary_dim=8)), ("CodeGen", "ForCausalLM", dict(GPT, rotary_dim=8)),
    ("GPTNeo", "ForCausalLM", dict(hidden_size=64, num_layers=2, num_heads=4, vocab_size=100,
                                   attention_types=[[["global", "local"], 1]])),
    ("GPTNeoX", "ForCausalLM", TEXT), ("GPTBigCode", "ForCausalLM", GPT), ("OpenAIGPT", "LMHeadModel", GPT),
    ("CTRL", "LMHeadModel", dict(GPT, dff=96)),
    ("Bloom", "ForCausalLM", dict(hidden_size=64, n_layer=2, n_head=4, vocab_size=100)),
    ("OPT", "ForCausalLM", dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, ffn_dim=96, vocab_size=100,
                                word_embed_proj_dim=64)),
    ("Mpt", "ForCausalLM", dict(d_model=64, n_heads=4, n_layers=2, vocab_size=100)),
    ("Llama", "ForCausalLM", LLAMA), ("Mistral", "ForCausalLM", LLAMA), ("Qwen2", "ForCausalLM", LLAMA),
    ("Mixtral", "ForCausalLM", dict(LLAMA, num_local_experts=4)),
    ("Qwen2Moe", "ForCausalLM", dict(LLAMA, moe_intermediate_size=32, shared_expert_intermediate_size=64, num_experts=4)),
    ("Olmoe", "ForCausalLM", dict(LLAMA, num_experts=4, num_experts_per_tok=2)),
    ("Gemma", "ForCausalLM", dict(LLAMA, head_dim=16)), ("Gemma2", "ForCausalLM", dict(LLAMA, head_dim=16)),
    ("Phi", "ForCausalLM", LLAMA), ("Phi3", "ForCausalLM", LLAMA), ("StableLm", "ForCausalLM", LLAMA),
    ("Starcoder2", "ForCausalLM", LLAMA), ("Olmo", "ForCausalLM", LLAMA), ("Cohere", "ForCausalLM", LLAMA),
    ("Persimmon", "ForCausalLM", dict(TEXT, pad_token_id=0)), ("Granite", "ForCausalLM", LLAMA),
    ("Falcon", "ForCausalLM", {k: v for k, v in TEXT.items() if k != "intermediate_size"}),
    ("Jamba", "ForCausalLM", dict(LLAMA, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1,
                                  num_experts=2, num_experts_per_tok=1, mamba_d_state=8, mamba_dt_rank=8, use_mamba_kernels=False)),
    ("Mamba", "ForCausalLM", dict(vocab_size=100, hidden_size=64, num_hidden_layers=2, state_size=8, time_step_rank=8)),
    ("Mamba2", "ForCausalLM", dict(vocab_size=100, hidden_size=64, num_hidden_layers=2, state_size=8, num_heads=8, head_dim=16,
                                   n_groups=2, chunk_size=8)),
    ("Rwkv", "ForCausalLM", dict(vocab_size=100, hidden_size=64, num_hidden_layers=2, attention_hidden_size=64,
                                 intermediate_size=96)),
    ("XGLM", "ForCausalLM", dict(d_model=64, num_layers=2, attention_heads=4, ffn_dim=96, vocab_size=100)),
    ("BioGpt", "ForCausalLM", TEXT),
]
TRANSLATORS = [
    ("T5", dict(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, vocab_size=100)),
    ("MT5", dict(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, vocab_size=100)),
    ("LongT5", dict(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, vocab_size=100, local_radius=4)),
    ("Bart", PAIR), ("Pegasus", PAIR), ("Marian", dict(PAIR, decoder_start_token_id=1)), ("M2M100", PAIR), ("Blenderbot", PAIR),
    ("LED", dict({k: v for k, v in PAIR.items() if k != "max_position_embeddings"}, attention_window=4,
                 max_encoder_position_embeddings=64, max_decoder_position_embeddings=64)),
    ("ProphetNet", dict(hidden_size=64, num_encoder_layers=2, num_decoder_layers=2, num_encoder_attention_heads=4,
                        num_decoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=96, vocab_size=100)),
]
HEADS = {"T5": "ForConditionalGeneration", "Marian": "MTModel"}
LISTENERS = [
    ("Wav2Vec2", "ForCTC", SOUND), ("Hubert", "ForCTC", SOUND), ("WavLM", "ForCTC", SOUND), ("UniSpeech", "ForCTC", SOUND),
    ("SEW", "ForCTC", dict(SOUND, squeeze_factor=2)), ("Data2VecAudio", "ForCTC", dict(SOUND, num_conv_pos_embeddings=2)),
    ("Wav2Vec2Conformer", "ForCTC", dict(SOUND, conv_depthwise_kernel_size=5)),
]


class MaskedSoftmax:
    """The softmax of DeBERTa without the gradient of its own, which cannot be saved."""

    @staticmethod
    def apply(x, mask, dim):
        mask = mask.bool()
        return torch.softmax(x.masked_fill(~mask, torch.finfo(x.dtype).min), dim).masked_fill(~mask, 0)


def networks():
    import transformers as t
    from transformers.integrations import fsdp
    fsdp.is_fsdp_managed_module = lambda module: False  # or it imports what PyTorch 1.13 cannot under Python 3.11
    for deberta in (t.models.deberta.modeling_deberta, t.models.deberta_v2.modeling_deberta_v2):
        deberta.XSoftmax = MaskedSoftmax

    def reader(kind, head, sizes, **options):
        return lambda: Called(getattr(t, kind + head)(getattr(t, kind + "Config")(**sizes)), **options)

    for kind, head, sizes in READERS:
        yield Network(kind + head, reader(kind, head, sizes), [WORDS])
    for kind, head, sizes in WRITERS:
        yield Network(kind, reader(kind, head, sizes, **({} if kind == "OpenAIGPT" else dict(use_cache=False))), [WORDS])
    for kind, sizes in TRANSLATORS:
        yield Network(kind, reader(kind, HEADS.get(kind, "ForConditionalGeneration"), sizes, use_cache=False,
                                   names=("input_ids", "decoder_input_ids")), [WORDS, WORDS])
    for kind, head, sizes in LISTENERS:
        yield Network(kind, reader(kind, head, sizes), ["1x1600"])
    yield from others(t)


def others(t):
    yield Network("Whisper", lambda: Called(t.WhisperForConditionalGeneration(t.WhisperConfig(
        **{k: v for k, v in PAIR.items() if k != "max_position_embeddings"}, num_mel_bins=16, max_source_positions=32,
        max_target_positions=64, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)),
        ("input_features", "decoder_input_ids"), use_cache=False), ["1x16x64", WORDS], [["1x16x64", "1x17:int64"]])
    yield Network("Speech2Text", lambda: Called(t.Speech2TextForConditionalGeneration(t.Speech2TextConfig(
        **{k: v for k, v in PAIR.items() if k != "max_position_embeddings"}, input_feat_per_channel=16, conv_channels=32,
        max_source_positions=64, max_target_positions=64)), ("input_features", "decoder_input_ids"), use_cache=False),
        ["1x64x16", WORDS], [["1x80x16", "1x17:int64"]])
    yield Network("Wav2Vec2Bert", lambda: Called(t.Wav2Vec2BertForCTC(t.Wav2Vec2BertConfig(
        **TEXT, feature_projection_input_dim=32, conv_depthwise_kernel_size=5, left_max_position_embeddings=8,
        right_max_position_embeddings=8))), ["1x24x32"], [["1x30x32"]])
    yield Network("ASTForAudioClassification", lambda: Called(t.ASTForAudioClassification(t.ASTConfig(
        **SIZE, patch_size=8, frequency_stride=8, time_stride=8, max_length=64, num_mel_bins=32))), ["1x64x32"], [["1x96x32"]])
    yield Network("PatchTST", lambda: Called(t.PatchTSTForPrediction(t.PatchTSTConfig(
        num_input_channels=3, context_length=32, patch_length=8, patch_stride=8, d_model=32, num_hidden_layers=2,
        num_attention_heads=4, ffn_dim=64, prediction_length=8, use_cls_token=False))), ["1x32x3"], [["1x40x3"]])
    yield Network("PatchTSMixer", lambda: Called(t.PatchTSMixerForPrediction(t.PatchTSMixerConfig(
        num_input_channels=3, context_length=32, patch_length=8, patch_stride=8, d_model=32, num_layers=2,
        prediction_length=8)), outputs=(1,)), ["1x32x3"], [["1x40x3"]])
    yield Network("BertForPreTraining", lambda: Called(
        t.BertForPreTraining(t.BertConfig(**TEXT)), outputs=(0, 1)), [WORDS])
