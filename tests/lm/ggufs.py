"""Tiny models written as GGUF files, the way llama.cpp lays out a Llama, and what their bits stand for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import torch
from gguf import GGMLQuantizationType as Kind
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from lm.models import sizes, tokenizer

BLOCK = 32  # weights that share a scale: rows that are no multiple of it stay as they are
LAYER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def llama(tied: bool = False, seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**sizes(len(tokenizer())), tie_word_embeddings=tied)).eval()


def write_gguf(
    path: Path,
    model: LlamaForCausalLM,
    kind: str = "F32",
    architecture: str = "llama",
    without: str = "",
    declared: bool = True,
) -> nn.Module:
    """Writes the model, rounded to `kind`, and returns the rounded model: what an import must give.

    `without` leaves out one tensor, `declared=False` the file's own word on its kind.
    """
    file, config = gguf.GGUFWriter(path, architecture), model.config
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_block_count(config.num_hidden_layers)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_rope_freq_base(config.rope_parameters["rope_theta"])
    file.add_rope_dimension_count(config.head_dim)
    file.add_vocab_size(config.vocab_size)
    if declared:
        file.add_file_type(gguf.LlamaFileType["ALL_F32" if kind == "F32" else f"MOSTLY_{kind}"])
    _add_tokenizer(file)
    rounded = llama(config.tie_word_embeddings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            stored = _rounded(weight, Kind[kind])
            rounded.get_parameter(name).copy_(stored)
            if (there := _named(name)) != without:
                _add_tensor(file, there, _turned(name, weight, config), Kind[kind])
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return rounded


def _add_tokenizer(file: gguf.GGUFWriter) -> None:
    spoken = json.loads(tokenizer().backend_tokenizer.to_str())
    special = {token["content"] for token in spoken["added_tokens"]}
    words = sorted(spoken["model"]["vocab"], key=spoken["model"]["vocab"].__getitem__)
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("default")
    file.add_token_list(words)
    file.add_token_types([gguf.TokenType.CONTROL if word in special else gguf.TokenType.NORMAL for word in words])
    file.add_token_merges([" ".join(pair) for pair in spoken["model"]["merges"]])
    file.add_eos_token_id(0)
    file.add_pad_token_id(0)
    file.add_add_bos_token(False)


def _named(name: str) -> str:
    """model.layers.2.mlp.up_proj.weight -> blk.2.ffn_up.weight"""
    stem = name.removesuffix(".weight")
    if stem in OUTSIDE:
        return f"{OUTSIDE[stem]}.weight"
    _, _, number, rest = stem.split(".", 3)
    return f"blk.{number}.{LAYER[rest]}.weight"


def _turned(name: str, weight: Tensor, config: Any) -> Tensor:
    """llama.cpp rotates neighbours where transformers rotates halves: rows of queries and keys change places."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
    if heads is None:
        return weight
    return weight.view(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def _add_tensor(file: gguf.GGUFWriter, name: str, weight: Tensor, kind: Kind) -> None:
    kind = _kind(weight, kind)
    data = gguf.quants.quantize(weight.contiguous().numpy(), kind)
    file.add_tensor(name, data, raw_dtype=kind)


def _rounded(weight: Tensor, kind: Kind) -> Tensor:
    kind = _kind(weight, kind)
    return torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(weight.numpy(), kind), kind))


def _kind(weight: Tensor, kind: Kind) -> Kind:
    return Kind.F32 if weight.dim() == 1 or weight.shape[-1] % BLOCK else kind
