"""The registry of shipped models: a file that is missing or was changed is told before any article is read."""

import pytest

from pipeline.model_files import ROOT, ModelError, verify, write


@pytest.fixture
def shipped(tmp_path):
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / "weights.bin").write_bytes(b"learnt")
    (tmp_path / "names" / "CARD.md").write_text("words")
    assert write(tmp_path) == 1
    return tmp_path


def test_the_shipped_models_are_those_of_the_registry():
    verify(ROOT)


def test_every_learnt_file_is_registered():
    registered = {line.partition("  ")[2] for line in (ROOT / "SHA256SUMS").read_text().splitlines()}
    for part in ("encoder.onnx", "deals.onnx", "heads.onnx", "calibration.json", "tokenizer.json"):
        assert f"news_encoder/weights/{part}" in registered
    assert {"companies/weights.json", "level_owners/weights.json", "names/pipeline/ner/model"} <= registered


def test_what_explains_a_model_may_change(shipped):
    (shipped / "names" / "CARD.md").write_text("other words")
    verify(shipped)


@pytest.mark.parametrize("content", [b"Learnt", b"", b"learnt "])
def test_a_changed_file_is_named(shipped, content):
    (shipped / "names" / "weights.bin").write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.bin: not the file that was shipped"):
        verify(shipped)


def test_a_missing_file_is_named(shipped):
    (shipped / "names" / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"weights\.bin: missing"):
        verify(shipped)


@pytest.mark.parametrize("damage", ["missing", "not text"])
def test_a_registry_that_cannot_be_read_is_named(shipped, damage):
    registry = shipped / "SHA256SUMS"
    registry.unlink() if damage == "missing" else registry.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="SHA256SUMS: cannot be read"):
        verify(shipped)
