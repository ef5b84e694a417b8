"""Residual and recurrent networks of a recipe, to NIR and back."""

from pathlib import Path

import pytest
import trained

from pumice.convert.formats.nir.files import read_nir, write_nir


@pytest.mark.parametrize("kind", ["sew add", "sew max", "recurrent"])
def test_nir_round_trip_is_exact(kind: str, tmp_path: Path) -> None:
    network = trained.to_integers(trained.make_network(trained.TABLES[kind]))
    write_nir(tmp_path / "a.nir", network)
    assert read_nir(tmp_path / "a.nir")[0] == network
