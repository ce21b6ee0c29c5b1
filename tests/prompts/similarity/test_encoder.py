from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from regraft.errors import ConfigError
from regraft.prompts.similarity.encoder import Encoder

tokenizers = pytest.importorskip("tokenizers")

WORDS = ["[UNK]", "red", "blue", "cable", "lamp"]
ROWS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]], dtype=np.float32)
ITEMS = pl.DataFrame(
    {"item_id": ["a", "b", "c"], "title": ["red cable", "blue cable", "lamp"], "brand": [None, "red", ""]}
)


def tokenizer_into(folder: Path) -> None:
    model = tokenizers.models.WordLevel({word: code for code, word in enumerate(WORDS)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture
def static(tmp_path: Path) -> Path:
    tokenizer_into(tmp_path)
    np.save(tmp_path / "vectors.npy", ROWS)
    return tmp_path


def unit(*vector: float) -> np.ndarray:
    return np.array(vector) / np.linalg.norm(vector)


def test_the_vector_of_an_item_is_the_mean_of_the_rows_of_its_words(static: Path) -> None:
    found = Encoder(str(static)).vectors(ITEMS)
    np.testing.assert_allclose(found, [unit(1, 0, 1), unit(1, 1, 1), unit(-1, 0, 0)], atol=1e-6)
    assert found.dtype == np.float32


def test_the_table_itself_may_be_named_and_be_safetensors(static: Path) -> None:
    from safetensors.numpy import save_file

    expected = Encoder(str(static)).vectors(ITEMS)
    (static / "vectors.npy").unlink()
    (static / "weights").mkdir()
    save_file({"embedding": ROWS}, static / "weights" / "vectors.safetensors")
    for path in (static, static / "weights" / "vectors.safetensors"):
        np.testing.assert_array_equal(Encoder(str(path)).vectors(ITEMS), expected)


def test_a_text_without_a_known_word_has_the_zero_vector(static: Path) -> None:
    strange = pl.DataFrame({"item_id": ["x", "y"], "title": ["fridge", ""]})
    assert (Encoder(str(static)).vectors(strange) == 0).all()


def test_no_item_no_vector(static: Path) -> None:
    assert len(Encoder(str(static)).vectors(ITEMS[:0])) == 0


def test_two_tables_are_refused(static: Path) -> None:
    np.save(static / "other.npy", ROWS)
    with pytest.raises(ConfigError, match="found 2 tables of vectors and 1 tokenizers"):
        Encoder(str(static)).vectors(ITEMS)


def test_a_transformer_gives_the_mean_of_its_last_states(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer_into(tmp_path)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"), unk_token="[UNK]")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    model = transformers.BertModel(config).eval()
    model.save_pretrained(tmp_path), fast.save_pretrained(tmp_path)
    found = Encoder(str(tmp_path)).vectors(ITEMS[:1])[0]
    with torch.inference_mode():
        states = model(**fast("red cable", return_tensors="pt")).last_hidden_state[0].numpy()
    np.testing.assert_allclose(found, unit(*states.mean(axis=0)), atol=1e-5)
