import pytest

from dlgm_jax import BadInput
from dlgm_jax.data.medical import read_coarse_groups, read_fine_groups, read_relations
from dlgm_jax.data.source import Reading

COARSE = """1         Infectious diseases                      1 2 3


1.1       Bacterial infection                      1 2
1.1.1     Tuberculosis [1.]
          01000 01001 V1201
2         Neoplasms
2.1       Cancer of colon [14.]
          1530 1531
"""


def test_groups_are_read_without_dots(tmp_path):
    path = tmp_path / "groups.txt"
    path.write_text("010.00 V12.01 011.1 # Tuberculosis\n003.1 020.2 010.00\n\n")
    assert read_fine_groups(path) == {"01000": 1, "V1201": 1, "0111": 1, "0031": 2, "0202": 2}
    path.write_text(COARSE)
    assert read_coarse_groups(path) == {"01000": 1, "01001": 1, "V1201": 1, "1530": 2, "1531": 2}


@pytest.mark.parametrize(
    ("reader", "text"),
    [(read_fine_groups, "01000\n011 01000 011\n"), (read_coarse_groups, "1  A\n  01000\n2  B\n  01000 011\n")],
)
def test_a_code_in_two_groups_is_noted(tmp_path, reader, text):
    path, how = tmp_path / "groups.txt", Reading()
    path.write_text(text)
    assert reader(path, how) == {"01000": 1, "011": 2}
    assert how.notes == [f"1 codes of {path} stand in more than one group, as 01000: the first counts."]


def test_relations_are_pairs(tmp_path):
    path = tmp_path / "treat.txt"
    path.write_text("C01:C10,C11,\n\nC03:\nC02:C12,\n")
    assert read_relations(path) == [("C01", "C10"), ("C01", "C11"), ("C02", "C12")]


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (read_fine_groups, "010.00\nabc\n", ":2: expected ICD-9 codes, found 'abc'"),
        (read_fine_groups, "", "found none"),
        (read_coarse_groups, "   01000\n", ":1: expected a heading"),
        (read_coarse_groups, "1  Name\nodd line\n", ":2: expected a heading"),
        (read_coarse_groups, "1  Name\n", "found none"),
        (read_coarse_groups, "1  A\n  01000 0l001\n", ":2: expected ICD-9 codes under a heading, found '0l001'"),
        (read_coarse_groups, "1  A\n01000 01001\n", ":2: expected a heading as 1.1 or indented codes"),
        (read_coarse_groups, "1  A\n1530 1531\n", ":2: expected a chapter from 0 to 99, found '1530'"),
        (read_relations, "UMLS:C01:C10,C11\n", ":1: expected drug:disease,disease, found"),
        (read_relations, "C01 C10\n", ":1: expected drug:disease,disease, found 'C01 C10'"),
        (read_relations, "C01:,\n", "found none"),
        (read_relations, ":C10,\n", ":1: expected drug:disease"),
        (read_relations, "", "found none"),
    ],
)
def test_another_form_is_one_line(tmp_path, reader, text, message):
    path = tmp_path / "file.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        reader(path)
