"""Residual and recurrent networks of a recipe, out to NIR and back as they were."""

from pathlib import Path

import pytest
import trained

from pumice.convert.formats.nir.files import read_nir, write_nir


@pytest.mark.parametrize("kind", ["sew add", "sew max", "recurrent"])
def test_nir_gives_back_what_it_was_given(kind: str, tmp_path: Path) -> None:
    network = trained.converted(trained.network(trained.TABLES[kind]))
    write_nir(tmp_path / "a.nir", network)
    assert read_nir(tmp_path / "a.nir")[0] == network
