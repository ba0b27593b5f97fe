"""Files of words as gensim, scripts and people write them."""

import gzip
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.source import EVERYTHING, Reading, in_memory
from dlgm_jax.data.vocabularies import note_numbered, read_vocabulary, vocabulary_of


def words_of(tmp_path, text, name="words.txt"):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    how = Reading()
    return read_vocabulary(tmp_path / name, how), how.notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("river\nnew york\nbank\n", ("river", "new york", "bank")),
        ("\ufeffriver\r\nbank\r\n", ("river", "bank")),
        ("who 6494\nout 6114\n", ("who", "out")),  # NVDM's vocab.new, and the same under any name
        ("new york 3\nriver 2\n", ("new york", "river")),
        ("river\t12\nbank\t7\n", ("river", "bank")),
        ("new york\t12\t1.5\nbank\t7\tx\n", ("new york", "bank")),
        ("word\tcount\nriver\t12\nbank\t7\n", ("river", "bank")),
        ("word count\nriver 12\nbank 7\n", ("river", "bank")),
        ("2\n1\tbank\t7\n0\triver\t12\n", ("river", "bank")),  # gensim's Dictionary.save_as_text
        ("1\tbank\n2\triver\n", ("bank", "river")),
        ("9\n1\t4019\t7\n0\t25000\t12\n", ("25000", "4019")),  # codes of diagnoses
        ("4019\t7\n25000\t12\n", ("4019", "25000")),
        ("3 apple\n0 pear\n2 fig\n1 kiwi\n", ("pear", "kiwi", "fig", "apple")),
        ("   6494 who\n   6114 new york\n", ("who", "new york")),  # uniq -c
        ('"river"\n"bank"\n', ("river", "bank")),
        ("apple\t0\npear\t1\n", ("apple", "pear")),
        ("apple\t3\x1d\npear\t9\n", ("apple", "pear")),  # str.strip takes it for a blank, int does not
        ("river 9.0\nbank 7.0\n", ("river", "bank")),
        ("river\t\nbank\t7\n", ("river", "bank")),
        ("windows 95\nwindows 98\nmac\n", ("windows 95", "windows 98", "mac")),
        ("windows 95\nwindows 98\n", ("windows 95", "windows 98")),
        ("catch 22\nriver\n", ("catch 22", "river")),
    ],
)
def test_words_of_a_file(tmp_path, text, expected):
    found, notes = words_of(tmp_path, text)
    assert found == expected
    plain = [line.strip("\ufeff\r") for line in text.split("\n") if line]
    assert notes or plain == list(expected)  # whatever is not a whole line is said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("river\n\nbank\n", r"words\.txt:2: expected a word, found an empty line"),
        ("", r"words\.txt: expected words, one a line, found an empty file"),
        ("river\t1\n\t2\n", r"words\.txt:2: expected a word first, found none"),
        ("word\tcount\nriver\t1\n\t2\n", r"words\.txt:3: expected a word first, found none"),
        ("river\nbank\nriver\n", r"words\.txt: expected distinct words, found 'river' as word 1 and 3"),
        ("2\n0\triver\t12\n2\tbank\t7\n", r"words\.txt: expected each id .* found none with 1"),
        ("0\triver\n0\tbank\n", r"words\.txt: expected each id .* found 0 2 times"),
        ("0\triver\n1\t \n", r"words\.txt: expected a word behind each id, found none behind 1"),
        ("0\t4019\n1\t25000\n", r"words\.txt: expected words that can be told from numbers"),
        (
            "apple\t3\npear\t0\nfig\t2\nkiwi\t1\n",
            r"words\.txt:1: expected words and how often .* could be their columns",
        ),
        ("apple 1\npear 0\n", r"words\.txt:1: expected words and how often"),
        ("apple,3\npear,9\n", r"words\.txt:1: expected words alone, or fields with tabs between, found 'apple,3'"),
        ("3,apple\n9,pear\n", r"words\.txt:1: expected words alone"),
        ('"1" "apple"\n"2" "pear"\n', r"words\.txt:1: expected one word a line, found several in quotation marks"),
        ('"apple"\n" "\n', r"words\.txt:2: expected a word, found '\" \"'$"),
        ('"apple"\n""\n', r"words\.txt:2: expected a word, found '\"\"'$"),
        (b"\x80\x04\x95 gensim", r"words\.txt: expected words, one a line, found a Python pickle \(gensim"),
        (b"\xff\xfe\x00r", r"words\.txt: expected words, one a line, found UTF-16 text"),
    ],
)
def test_a_file_of_no_words_is_one_line(tmp_path, text, message):
    with pytest.raises(BadInput, match=message) as caught:
        words_of(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("counts", "vocabulary"),
    [
        ("corpus.lda-c", "corpus.lda-c.vocab"),
        ("testcorpus.uci", "testcorpus.uci.vocab"),
        ("corpus.lda-c.gz", "corpus.lda-c.vocab"),
        ("ap.dat", "ap.vocab"),
        ("wiki_bow.mm", "wiki_wordids.txt.bz2"),
        ("corpus.mm", "corpus.dict.txt"),
        ("corpus.mm", "corpus.dict"),
        ("counts.npz", "vocabulary.txt"),
    ],
)
def test_a_vocabulary_beside_is_found_by_the_names_that_others_give(tmp_path, counts, vocabulary):
    path, how = tmp_path / counts, Reading()
    path.write_text("")
    text = b"river\nbank\n"
    if vocabulary.endswith("bz2"):
        bz2 = pytest.importorskip("bz2")
        text = bz2.compress(text)
    (tmp_path / vocabulary).write_bytes(text)
    assert vocabulary_of(path, how) == ("river", "bank")
    assert how.notes == [f"The words are those of {vocabulary}, which stands beside {counts}."]


def test_words_that_are_numbered_are_said(tmp_path):
    how = Reading()
    assert vocabulary_of(tmp_path / "a.mtx", how) is None
    assert how.notes == []
    note_numbered(tmp_path / "a.mtx", how)
    assert how.notes == ["Words are numbered: no vocabulary stands beside a.mtx; --vocab=FILE names one."]


def test_vocab_wins_over_what_stands_beside(tmp_path):
    (tmp_path / "vocab.txt").write_text("no\n")
    (tmp_path / "mine.gz").write_bytes(gzip.compress(b"river 3\n"))
    assert vocabulary_of(tmp_path / "a.mtx", Reading(vocab=tmp_path / "mine.gz")) == ("river",)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_gensim_writes_is_read_with_its_words(tmp_path):
    corpora = pytest.importorskip("gensim.corpora")
    texts = [["river", "bank", "bank"], ["money", "bank"], ["river"]]
    dictionary = corpora.Dictionary(texts)
    counts = [dictionary.doc2bow(text) for text in texts]
    corpora.BleiCorpus.serialize(str(tmp_path / "corpus.lda-c"), counts, id2word=dictionary)
    corpora.UciCorpus.serialize(str(tmp_path / "testcorpus.uci"), counts, id2word=dictionary)
    corpora.MmCorpus.serialize(str(tmp_path / "wiki_bow.mm"), counts)
    dictionary.save_as_text(str(tmp_path / "wiki_wordids.txt"))
    for name in ("corpus.lda-c", "testcorpus.uci", "wiki_bow.mm"):
        how = Reading()
        found = in_memory(open_input(tmp_path / name, "", how))[EVERYTHING]
        assert how.notes[0].startswith("The words are those of"), name
        for row, text in zip(found.counts.toarray(), texts):
            assert {word: n for word, n in zip(found.vocabulary, row) if n} == Counter(text), name
    dictionary.save(str(tmp_path / "other.dict"))
    corpora.MmCorpus.serialize(str(tmp_path / "other.mm"), counts)
    with pytest.raises(BadInput, match=r"other\.dict: expected words, one a line, found a Python pickle"):
        open_input(tmp_path / "other.mm", "", Reading())


LETTERS = st.characters(blacklist_categories=("Cs", "Zs", "Zl", "Zp", "Cc"), blacklist_characters="\ufeff")
WORD = st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1, max_size=3).map(" ".join)
NUMBERS = st.integers(0, 10**6)


@given(
    words=st.lists(st.one_of(WORD, NUMBERS.map(str)), min_size=1, max_size=6, unique=True),
    numbers=st.lists(NUMBERS, min_size=6, max_size=6),
    form=st.sampled_from(["plain", "blank", "tab", "ids", "gensim"]),
    header=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_words_come_back_or_are_refused(tmp_path_factory, words, numbers, form, header, end):
    folder = tmp_path_factory.mktemp("words")
    rows = {
        "plain": words,
        "blank": [f"{word} {number}" for word, number in zip(words, numbers)],
        "tab": [f"{word}\t{number}" for word, number in zip(words, numbers)],
        "ids": [f"{place}\t{word}" for place, word in enumerate(words)],
        "gensim": ["7", *(f"{place}\t{word}\t{n}" for (place, word), n in zip(enumerate(words), numbers))],
    }[form]
    titled = header and form in ("blank", "tab")
    text = "".join(row + end for row in ([("word\tcount" if form == "tab" else "word count")] * titled) + rows)
    try:
        found, notes = words_of(folder, text)
    except BadInput as error:
        assert str(folder / "words.txt") in str(error)
        could_be = "could be their columns" in str(error) or "expected words alone" in str(error)
        assert form == "ids" or "found 'word'" in str(error) or all(map(str.isdecimal, words)) or could_be
        return
    if list(found) != words:  # lines that all begin or end in a number or quotes: no one can tell, and it is said
        assert form in ("plain", "ids")
        ends = all(row.split()[-1].isdigit() and len(row.split()) > 1 for row in words[1:])
        begins = all(row.split()[0].isdigit() and len(row.split()) > 1 for row in words)
        assert ends or begins or all(row[0] == row[-1] == '"' for row in words)
        assert notes
