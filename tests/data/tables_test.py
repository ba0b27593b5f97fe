import gzip

import pytest

from dlgm_jax import BadInput
from dlgm_jax.data.formats import tables

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
