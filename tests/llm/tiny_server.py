"""llama.cpp's OpenAI-compatible server with a tiny random model: real protocol, real chunks, no sense.

Run as a program with the folder for the model; prints its address and serves until its input is closed.
"""

import sys
from pathlib import Path

import gguf
import numpy as np
import xllamacpp

WORDS = [
    "▁연차",
    "는",
    "▁15일",
    "이에요",
    ".",
    "▁휴가",
    "▁신청",
    "▁",
    "가",
    "나",
    "다",
    "라",
    "▁leave",
    "▁day",
    "s",
    "\n",
]
WIDTH, HEADS, INNER, CONTEXT = 32, 4, 64, 2048


def write_model(path: Path) -> None:
    """A llama of one layer whose next word is as good as drawn by lot; it ends its answers by chance, too."""
    writer = gguf.GGUFWriter(str(path), "llama")
    _write_shape(writer)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *WORDS]
    _write_words(writer, tokens)
    draw = np.random.default_rng(7)

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(f"{name}.weight", draw.normal(0, 0.3, (rows, columns)).astype(np.float32))

    matrix("token_embd", len(tokens), WIDTH)
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        matrix(f"blk.0.{part}", WIDTH, WIDTH)
    matrix("blk.0.ffn_gate", INNER, WIDTH)
    matrix("blk.0.ffn_up", INNER, WIDTH)
    matrix("blk.0.ffn_down", WIDTH, INNER)
    for norm in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{norm}.weight", np.ones(WIDTH, np.float32))
    output = draw.normal(0, 1.0, (len(tokens), WIDTH)).astype(np.float32)
    # Single bytes would mostly be broken characters, which the server holds back.
    output[:2] = output[3 : 3 + 256] = 0.0
    writer.add_tensor("output.weight", output)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)


def _write_words(writer: gguf.GGUFWriter, tokens: list[str]) -> None:
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256]
    kinds += [gguf.TokenType.NORMAL] * len(WORDS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def serve(folder: Path, key: str) -> None:
    """Serve until standard input is closed."""
    model = folder / "tiny.gguf"
    write_model(model)
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {"tiny"}
    params.n_ctx, params.n_parallel, params.warmup = CONTEXT * 4, 4, False
    params.cpuparams.n_threads = 1
    params.api_keys = [key]
    params.port = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201  the test reads it
    sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
