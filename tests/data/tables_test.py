import gzip
import re
from decimal import Decimal

import pytest

from dlgm_jax import BadInput
from dlgm_jax.data.formats import octis, tables, triplets
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.source import EVERYTHING, Reading, in_memory

MOVIES = 'movieId,title,genres\n1,"Heat, The (1995)",Crime|War\n2,Twin (1990),Drama\n3,Twin (1990),War\n'


def movielens(folder, ratings="userId,movieId,rating,timestamp\n7,1,4.5,0\n7,2,1.0,0\n8,3,0.5,0\n8,1,5.0,0\n"):
    folder.mkdir(exist_ok=True)
    with gzip.open(folder / "movies.csv.gz", "wt") as file:
        file.write(MOVIES)
    (folder / "ratings.csv").write_text(ratings)
    return folder


def test_movielens_counts_half_stars(tmp_path):
    corpus = tables.read(movielens(tmp_path / "ml"))
    assert corpus.vocabulary == ("Heat, The (1995)", "Twin (1990) #2", "Twin (1990) #3")
    assert corpus.ids == ("7", "8")
    assert corpus.counts.toarray().tolist() == [[9, 2, 0], [10, 0, 1]]
    assert tables.read_genres(tmp_path / "ml") == {
        "Heat, The (1995)": {"Crime", "War"},
        "Twin (1990) #2": {"Drama"},
        "Twin (1990) #3": {"War"},
    }


def test_patients_codes_are_counted(tmp_path):
    (tmp_path / "conditions.csv").write_text("PATIENT,CODE,DESCRIPTION\na,1,Stress\na,1,Stress\nb,2,Cold\n")
    (tmp_path / "medications.csv").write_text("PATIENT,CODE,DESCRIPTION\nb,9,Aspirin\nb,1,Stress\n")
    corpus = tables.read(tmp_path)
    assert corpus.vocabulary == ("Stress", "Aspirin", "Cold")
    assert corpus.counts.toarray().tolist() == [[2, 0, 0], [1, 1, 1]]


def test_diagnoses_are_counted(tmp_path):
    (tmp_path / "DIAGNOSES_ICD.csv").write_text('"SUBJECT_ID","ICD9_CODE"\n10,"99591"\n10,\n11,0389\n11,99591\n')
    corpus = tables.read(tmp_path)
    assert corpus.vocabulary == ("99591", "0389")
    assert corpus.counts.toarray().tolist() == [[1, 0], [1, 1]]


def test_titles_of_diagnoses_are_read(tmp_path):
    (tmp_path / "D_ICD_DIAGNOSES.csv").write_text('ICD9_CODE,LONG_TITLE\n0389,"Septicemia,  unspecified"\n')
    assert tables.read_titles(tmp_path) == {"0389": "Septicemia, unspecified"}
    with pytest.raises(BadInput, match="expected a table D_ICD_DIAGNOSES"):
        tables.read_titles(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        (
            "userId,movieId,rating\n7,1,4.3\n",
            "ratings.csv:2: expected a rating from 0.5 to 5 in half stars, found '4.3'",
        ),
        ("userId,movieId,rating\n7,1,good\n", "ratings.csv:2: expected a rating"),
        ("userId,movieId,rating\n7,1,6\n", "ratings.csv:2: expected a rating"),
        ("userId,movieId,rating\n7,1\n", "ratings.csv:2: expected 3 fields, found fewer"),
        ("userId,movieId,rating\n7,1,3,5\n", "ratings.csv:2: expected 3 fields, as the header has, found 4"),
        ("userId,movieId,rating,rating\n7,1,3,5\n", "ratings.csv:1: expected distinct names in the header"),
        ("userId,movieId,rating\n,1,3\n", "ratings.csv:2: expected a user and a film, found '' and '1'"),
        ("userId,film,rating\n7,1,3\n", "ratings.csv:1: expected the columns .* found no movieId"),
        ("userId,movieId,rating\n", "expected rows, found empty tables"),
        ('userId,movieId,rating\n7,1,"4.5"x\n', "ratings.csv:2: expected comma-separated values"),
    ],
)
def test_damaged_tables_are_one_line(tmp_path, ratings, message):
    with pytest.raises(BadInput, match=message):
        tables.read(movielens(tmp_path / "ml", ratings))


def test_another_folder_is_one_line(tmp_path):
    with pytest.raises(BadInput, match=r"expected ratings\.csv and movies\.csv"):
        tables.read(tmp_path)


def test_films_are_one_film_each(tmp_path):
    folder = movielens(tmp_path / "ml")
    (folder / "movies.csv.gz").unlink()
    for movies, message in (
        ("1,Heat\n\n1,Fire\n", "movies.csv:4: expected one name of '1', found 'Heat' and 'Fire'"),
        ("1,American President, The\n", "movies.csv:2: expected 2 fields, as the header has, found 3"),
        ("1,Twin #2\n2,Twin\n3,Twin\n", "ml: expected distinct names, found 'Twin #2' for the ids '1' and '2'"),
        ("1,film 3\n2,Twin\n", "ml: expected distinct names, found 'film 3' for the ids"),
    ):
        (folder / "movies.csv").write_text("movieId,title\n" + movies)
        with pytest.raises(BadInput, match=message):
            tables.read(folder)


def test_what_films_lack_is_said(tmp_path):
    ratings = "userId;movieId;rating\n7;1;4.5\n7;1;1\n7;8;2\n"
    how = Reading()
    corpus = tables.read(movielens(tmp_path / "ml", ratings), how)
    assert corpus.vocabulary == ("Heat, The (1995)", "film 8")
    assert [note.replace(str(tmp_path), "") for note in how.notes] == [
        "The fields of /ml/ratings.csv are taken to stand between semicolons.",
        "/ml: called `film` and the id, without a title in movies.csv: 1 film.",
        "/ml: added to that of the same film by the same user: 1 rating.",
    ]


def test_what_patients_lack_is_said(tmp_path):
    how, table = Reading(), "PATIENT,CODE,DESCRIPTION\na,1,Stress\na,2,Stress\nb,3,\n"
    (tmp_path / "conditions.csv").write_text(table)
    assert tables.read(tmp_path, how).counts.toarray().tolist() == [[2]]
    assert [note.replace(str(tmp_path), "") for note in how.notes] == [
        "/conditions.csv: left out without a description: 1 row.",
        ": of several codes, which count as one word: 1 description.",
    ]
    (tmp_path / "conditions.csv").write_text(table + "b,4,Fever, high\n")
    with pytest.raises(BadInput, match=r"conditions\.csv:5: expected 3 fields, as the header has, found 4"):
        tables.read(tmp_path)
    (tmp_path / "DIAGNOSES_ICD.csv").write_text("SUBJECT_ID,ICD9_CODE\n10,0389\n10,\n")
    assert tables.read(tmp_path, how).counts.toarray().tolist() == [[1]]
    assert how.notes[-1].endswith(f"{tmp_path}/DIAGNOSES_ICD.csv: left out without a code: 1 row.")
    (tmp_path / "DIAGNOSES_ICD.csv").write_text("SUBJECT_ID,ICD9_CODE\n,0389\n")
    with pytest.raises(BadInput, match=r"DIAGNOSES_ICD\.csv:2: expected a patient, found none"):
        tables.read(tmp_path)
    (tmp_path / "D_ICD_DIAGNOSES.csv").write_text("ICD9_CODE,LONG_TITLE\n0389,Sepsis\n0389,Other\n")
    with pytest.raises(BadInput, match=r"D_ICD_DIAGNOSES\.csv:3: expected one name of '0389'"):
        tables.read_titles(tmp_path)


def parquet(path, columns, asked=(), **types):
    """The corpus of a Parquet file."""
    writer, pyarrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    arrays = {name: pyarrow.array(values, types.get(name)) for name, values in columns.items()}
    writer.write_table(pyarrow.table(arrays), path)
    how = Reading(columns=asked)
    return in_memory(triplets.source(path, how))[EVERYTHING], how.notes


@pytest.mark.parametrize(
    ("documents", "words", "counts", "ids", "vocabulary"),
    [
        ([1.0, 2.5, 1.0], [b"x", b"\xc3\xbc", b"x"], [1.0, 2.0, 3.0], ("1", "2.5"), ("x", "\u00fc")),
        (["a", "b", "a"], [7, 8, 7], [Decimal("1.00"), Decimal("2.00"), Decimal("3.00")], ("a", "b"), ("7", "8")),
        ([Decimal("1.0"), Decimal("2.5"), Decimal("1.0")], ["x", "y", "x"], [1, 2, 3], ("1", "2.5"), ("x", "y")),
    ],
)
def test_parquet_numbers_and_bytes(tmp_path, documents, words, counts, ids, vocabulary):
    columns = {"Document": documents, "WORD": words, "Count": counts, "other": [None] * 3}
    corpus, notes = parquet(tmp_path / "a", columns)
    assert (corpus.ids, corpus.vocabulary, corpus.counts.toarray().tolist()) == (ids, vocabulary, [[4, 0], [0, 2]])
    assert notes == []
    del columns["Count"]
    _, notes = parquet(tmp_path / "a", columns, ("document", "word"))
    assert notes == []
    _, notes = parquet(tmp_path / "a", columns)
    assert "its columns document and word are taken, and other not" in notes[0]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("count", None, "row 5001: expected a count, found none"),
        ("count", float("nan"), "row 5001: expected a count, found none"),
        ("count", 1.5, r"row 5001: expected a count from 0 to 2147483647, found '1\.5'"),
        ("count", -1.0, "row 5001: expected a count"),
        ("document", None, "row 5001: expected a document and a word, found '' and 'x'"),
        ("word", " ", "row 5001: expected a document and a word, found 'a' and ''"),
    ],
)
def test_parquet_problems_name_the_row(tmp_path, place, value, message):
    columns = {"document": ["a"] * 5002, "word": ["x"] * 5002, "count": [1.0] * 5002}
    columns[place][5000] = value
    with pytest.raises(BadInput, match=f"^{re.escape(str(tmp_path / 'a'))}: {message}"):
        parquet(tmp_path / "a", columns)


def test_parquet_columns_that_are_missing_are_named(tmp_path):
    with pytest.raises(BadInput, match="a: expected the columns document, word, found no word in 'document, n'"):
        parquet(tmp_path / "a", {"document": ["a"], "n": [1]})
    with pytest.raises(BadInput, match="a: expected different columns, found N, n"):
        parquet(tmp_path / "a", {"document": ["a"], "n": [1]}, ("N", "n"))


def test_parquet_lists_are_refused(tmp_path):
    with pytest.raises(BadInput, match="a: row 1: expected text or a number, found"):
        parquet(tmp_path / "a", {"document": ["a"], "word": [["x", "y"]]})


def test_fields_behind_the_label_of_octis_are_refused(tmp_path):
    (tmp_path / "vocabulary.txt").write_text("river\n")
    (tmp_path / "corpus.tsv").write_text("river\ttrain\tx\t\t \nriver\ttest\tx\n")
    found = in_memory(octis.source(tmp_path, Reading()))
    assert [corpus.labels for corpus in found.values()] == [("x",), ("x",)]
    (tmp_path / "corpus.tsv").write_text("river\ttrain\tx\nriver\ttest\tx\ty\n")
    with pytest.raises(BadInput, match=r"corpus\.tsv:2: expected text, split and label .* found 4 fields: 'river"):
        in_memory(octis.source(tmp_path, Reading()))


def test_a_name_that_stands_twice_in_the_header_is_named_without_a_format(tmp_path):
    (tmp_path / "a.csv").write_text("document,word,word\nu1,a,b\n")
    with pytest.raises(
        BadInput, match=r"a\.csv:1: expected distinct names in the header, found 'word' as columns 2 and 3"
    ):
        open_input(tmp_path / "a.csv", "", Reading())
