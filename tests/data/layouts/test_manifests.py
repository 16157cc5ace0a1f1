"""Tables as people have them: each read to its right labels and splits, or refused in a line that says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictaxa.config.data import ReadingConfig
from pictaxa.data.index import Index
from pictaxa.data.reading import read_data
from pictaxa.errors import ConfigError, DataError, Problem, ProblemKind

PICTURES = [(f"{name}/{number}.jpg", name) for name in ("cat", "dog") for number in range(3)]
LABELS = dict(PICTURES)


def pictures(root: Path) -> Path:
    """Files by the names of pictures; none is opened to be listed."""
    for path, label in PICTURES:
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


def rows(row: Callable[[int, str, str], str], *, head: str = "") -> str:
    """A line for each picture from its number, path and label."""
    return head + "".join(f"{row(number, path, label)}\n" for number, (path, label) in enumerate(PICTURES))


def jsonl(row: Callable[[int, str, str], dict[str, object]]) -> str:
    return rows(lambda n, path, label: json.dumps(row(n, path, label)))


def said(index: Index) -> dict[str, str]:
    """Path -> label, "" for a picture that is set aside."""
    names = [index.classes[label] if label >= 0 else "" for label in index.labels]
    return dict(zip(index.column("path"), names, strict=True))


@dataclass(frozen=True)
class Case:
    """A table, and what it must be read to: PICTURES' labels, splits and notes where it has any."""

    name: str
    text: str | bytes
    note: str = ""  # is said, as a part of a note
    splits: str = ""  # of the rows in order, by first letters; "-" for none
    labels: tuple[str, str] = ("cat", "dog")  # what these are called in the table


VIA_HEAD = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
COCO = {
    "images": [{"id": 7 + n, "file_name": path} for n, (path, _) in enumerate(PICTURES)],
    "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}],
    "annotations": [
        {
            "id": n,
            "image_id": 7 + n // 2,
            "category_id": {"cat": 1, "dog": 3}[PICTURES[n // 2][1]],
            "bbox": [0, 0, 1, 1],
        }
        for n in range(12)
    ],
}
TASKS = [
    {
        "id": n,
        "data": {"image": f"/data/local-files/?d={path.replace('/', '%2F')}"},
        "annotations": [
            {"was_cancelled": True, "result": [{"value": {"choices": ["emu"]}}]},
            {"result": [{"type": "choices", "value": {"choices": [label]}}]},
        ],
    }
    for n, (path, label) in enumerate(PICTURES)
]
PLAIN = rows(lambda n, p, k: f"{p},{k}", head="path,label\n")
READ = [
    Case("bom_crlf.csv", b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode()),
    Case("quoted.csv", rows(lambda n, p, k: f'"{p}","{k}"', head="path,label\n")),
    Case("old_mac.csv", PLAIN.replace("\n", "\r")),
    Case("comment_with_a_comma.csv", "# made by hand, on a Monday\n" + PLAIN),
    Case("semicolon.csv", PLAIN.replace(",", ";"), note="separated by a semicolon"),
    Case("tab.csv", PLAIN.replace(",", "\t"), note="separated by a tab"),
    Case("bar.csv", PLAIN.replace(",", "|"), note="separated by a bar"),
    Case("commas_in_a.tsv", rows(lambda n, p, k: f"{p}\t{k}\tx,y,z,w", head="path\tlabel\tnote\n")),
    Case("spaces.csv", PLAIN.replace(",", "  "), note="separated by a space"),
    Case("sep.csv", "sep=;\r\n" + PLAIN.replace(",", ";"), note="by a semicolon"),
    Case("comment.csv", "# made by hand, on a Monday\n# twice\n" + PLAIN),
    Case("comments_within.csv", PLAIN.replace("dog/0", "# dogs\ndog/0")),
    Case("names_behind_a_hash.txt", "# " + PLAIN.replace(",", "\t"), note="by a tab"),
    Case("blank_lines.csv", "\n\n" + PLAIN.replace("\n", "\n\n")),
    Case("spaces_and_quotes.csv", rows(lambda n, p, k: f'"{p}", "{k}"', head='"path", "label"\n')),
    Case("line_in_a_cell.csv", rows(lambda n, p, k: f'{p},{k},"one\ntwo"', head="path,label,note\n")),
    Case("trailing.csv", rows(lambda n, p, k: f"{p},{k},,", head="path,label,,\n")),
    Case("more_commas_below.csv", rows(lambda n, p, k: f"{p},{k},,", head="path,label\n")),
    Case("pandas.csv", rows(lambda n, p, k: f"{n},{p},{k}", head=",path,label\n")),
    Case("headless.csv", rows(lambda n, p, k: f"{n},{p},{k}")),
    Case("utf16.csv", PLAIN.replace(",", "\t").encode("utf-16"), note="read as utf-16"),
    Case(
        "german.csv",
        PLAIN.replace(",cat", ",Kätzchen").encode("cp1252"),
        note="german.csv is read as cp1252 (use --encoding",
        labels=("Kätzchen", "dog"),
    ),
    Case(
        "chinese.csv",
        PLAIN.replace(",cat", ",猫").replace(",dog", ",狗").encode("gbk"),
        note="gb18030",
        labels=("猫", "狗"),
    ),
    Case(
        "names.csv", rows(lambda n, p, k: f"{p},{n % 2},{k}", head="File Path,Label,Class_Name\n"), note="'Class_Name'"
    ),
    Case(
        "floats.csv",
        rows(lambda n, p, k: f"{p},{float(k == 'dog')}", head="path,label\n"),
        labels=("0", "1"),
    ),
    Case(
        "zeros.csv",
        rows(lambda n, p, k: f"{p},{'01' if k == 'cat' else 1}", head="path,y\n"),
        labels=("01", "1"),
    ),
    Case("not_a_number.csv", PLAIN.replace(",cat", ",NA").replace(",dog", ",nan"), labels=("NA", "nan")),
    Case(
        "words.csv",
        rows(lambda n, p, k: f"{p},{k},{('train', 'Valid', 'TEST ')[n % 3]}", head="filepaths,labels,data set\n"),
        splits="tvetve",
    ),
    Case(
        "is_valid.csv",
        rows(lambda n, p, k: f"{p},{k},{n % 3 == 1}", head="path,label,is_valid\n"),
        splits="tvttvt",
        note="'is_valid' is the split (yes: val, no: train)",
    ),
    Case(
        "two_marks.csv",
        rows(lambda n, p, k: f"{p},{k},{n % 3 // 2},{n % 3 % 2}", head="path,label,Is Test,is_valid\n"),
        splits="tvetve",
    ),
    Case(
        "is_train.csv",
        rows(lambda n, p, k: f"{p},{k},{'no' if n % 3 else 'yes'}", head="path,label,is_train\n"),
        splits="teetee",
    ),
    Case("bare.csv", rows(lambda n, p, k: f"{p},{k},{n % 3 == 2}", head="path,label,test\n"), splits="ttette"),
    Case("auto_ml.csv", rows(lambda n, p, k: f"{('TRAIN', 'VALIDATION', 'TEST')[n % 3]},{p},{k}"), splits="tvetve"),
    Case(
        "endings.csv", rows(lambda n, p, k: f"{p},{k},9", head="Where,Disease Type,Age\n"), note="'Disease Type' is the"
    ),
    Case("dos.csv", PLAIN + "\x1a"),
    Case("backslash.csv", PLAIN.replace("/", "\\")),
    Case("dot.csv", PLAIN.replace("cat/", "./cat/").replace("dog/", ".\\dog/")),
    Case(
        "windows.csv",
        rows(lambda n, p, k: f"C:\\Users\\me\\{p},{k}".replace("/", "\\"), head="path,label\n"),
        note="'C:/Users/me/'",
    ),
    Case(
        "unix.csv",
        rows(lambda n, p, k: f"/home/anna/pets/{p},{k}", head="path,label\n"),
        note="'/home/anna/pets/'",
    ),
    Case("home.csv", rows(lambda n, p, k: f"~/nobody/{p},{k}", head="path,label\n"), note="'~/nobody/'"),
    Case("ids.csv", rows(lambda n, p, k: f"{p[:-4]},{k}", head="id,breed\n"), note=".jpg is added"),
    Case(
        "shouted.csv",
        rows(lambda n, p, k: f"{p.upper()},{k}", head="path,label\n"),
        note="found by name",
    ),
    Case("suffix.csv", PLAIN.replace(".jpg", ".JPEG"), note="'cat/0.jpg' for 'cat/0.JPEG'"),
    Case(
        "one_hot.csv",
        rows(lambda n, p, k: f"{p}, {int(k == 'cat')}, {int(k == 'dog')}", head="filename, cat, dog\n"),
        note="cat, dog are one-hot",
    ),
    Case(
        "isic.csv",
        rows(lambda n, p, k: f"{p[:-4]},{float(k == 'cat')},{float(k == 'dog')},0.0", head="image,cat,dog,UNK\n"),
        note="training picture: UNK",
    ),
    Case("caffe.txt", rows(lambda n, p, k: f"{p} {k}")),
    Case("label_first.txt", rows(lambda n, p, k: f"{k}   {p}")),
    Case("mxnet.lst", rows(lambda n, p, k: f"{n}\t{int(k == 'dog')}.000000\t{p}"), labels=("0", "1")),
    Case(
        "lines.jsonl",
        b"\xef\xbb\xbf" + jsonl(lambda n, p, k: {"path": p, "label": k}).replace("\n", "\r\n\r\n").encode(),
    ),
    Case("lists.jsonl", jsonl(lambda n, p, k: {"path": p, "label": [k]})),
    Case(
        "list.json",
        json.dumps([{"path": path, "label": label, "box": {"x": 1}} for path, label in PICTURES]),
    ),
    Case("pairs.json", json.dumps({"labels": [list(row) for row in PICTURES]})),
    Case("by_path.json", json.dumps(LABELS)),
    Case("by_label.json", json.dumps({k: [p for p, label in PICTURES if label == k] for k in ("cat", "dog")})),
    Case(
        "pandas.json",
        json.dumps(
            {
                "path": {str(n): p for n, p in enumerate(LABELS)},
                "label": {str(n): v for n, v in enumerate(LABELS.values())},
            }
        ),
    ),
    Case(
        "createml.json",
        json.dumps([{"image": p, "annotations": [{"label": k, "coordinates": {}}] * 2} for p, k in PICTURES]),
    ),
    Case("coco.json", json.dumps(COCO)),
    Case("label_studio.json", json.dumps(TASKS)),
    Case(
        "label_studio.csv",
        rows(
            lambda n, p, k: f'{n},anna,"{{""choices"": [""{k}""]}}",{n},/data/local-files/?d={p}',
            head="annotation_id,annotator,choice,id,image\n",
        ),
    ),
    Case(
        "via.csv",
        rows(
            lambda n, p, k: (
                f'{p},1,"{{""caption"":""x"",""class"":""{k}""}}",2,0,"{{}}","{{}}"\n{p},1,"{{}}",2,1,"{{}}","{{}}"'
            ),
            head=VIA_HEAD,
        ),
    ),
    Case(
        "via_regions.csv",
        rows(lambda n, p, k: f'{p},1,"{{}}",1,0,"{{}}","{{""what"":{{""{k}"":true,""emu"":false}}}}"', head=VIA_HEAD),
    ),
    Case(
        "via.json",
        json.dumps(
            {
                "_via_img_metadata": {
                    p: {"filename": p, "file_attributes": {"kind": k}, "regions": []} for p, k in PICTURES
                }
            }
        ),
    ),
]


@pytest.mark.parametrize("case", READ, ids=lambda case: case.name)
def test_tables_as_people_have_them(case: Case, tmp_path: Path):
    """Each picture once, with its label and split; what was not plain is said."""
    file = pictures(tmp_path) / case.name
    file.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    index = read_data(file)
    called = dict(zip(("cat", "dog"), case.labels, strict=True))
    assert said(index) == {path: called[label] for path, label in PICTURES}
    assert index.usable.all() and set(index.classes) == set(case.labels)
    words = {"t": "train", "v": "val", "e": "test", "-": ""}
    assert list(index.column("split")) == [words[letter] for letter in case.splits or "-" * 6]
    assert case.note in "\n".join(index.notes)


@dataclass(frozen=True)
class Refused:
    """A table that can't be read for sure, and what is said."""

    name: str
    text: str | bytes
    match: str


REFUSED = [
    Refused("empty.csv", "", r"'empty\.csv'; found an empty file"),
    Refused("head.csv", "path,label\n", "a header without any rows"),
    Refused("ragged.csv", PLAIN + "dog/3.jpg,dog,extra\n", "3 cells in line 8, but 2 in the first"),
    Refused("short.csv", "# x\n" + PLAIN.replace("dog/1.jpg,dog", "dog/1.jpg"), "1 cells in line 7"),
    Refused("quote.csv", PLAIN + '"dog/3.jpg,dog\n', "quote.csv"),
    Refused("one_word.txt", "cat/0.jpg cat\ncat/1.jpg\n", "one word in line 2"),
    Refused(
        "urls.csv",
        PLAIN.replace("\ncat", "\nhttps://a.org/cat").replace("\ndog", "\ngs://b/dog"),
        "Download the pictures first",
    ),
    Refused("sheet.xlsx", b"PK\3\4", "Save the sheet as CSV"),
    Refused(
        "several.jsonl",
        jsonl(lambda n, p, k: {"path": p, "label": [k, "outdoor"]}),
        r"one label for each picture.*outdoor",
    ),
    Refused(
        "several.csv",
        rows(lambda n, p, k: f"{p},\"['{k}', 'wet']\"", head="path,label\n"),
        "one label for each picture",
    ),
    Refused(
        "one_hot.csv",
        rows(lambda n, p, k: f"{p},1,{n % 2}", head="path,wet,warm\n"),
        r"3 rows with several, such as wet, warm",
    ),
    Refused("no_label.csv", rows(lambda n, p, k: f"{p},{n}", head="path,size\n"), "--label-column"),
    Refused("several.lst", rows(lambda n, p, k: f"{n}\t0.0\t1.0\t{p}"), "--label-column"),
    Refused("no_path.csv", rows(lambda n, p, k: f"{k},{p[:-4]}", head="label,where\n"), "--path-column"),
    Refused(
        "splits.csv",
        rows(lambda n, p, k: f"{p},{k},{n % 5}", head="path,label,split\n"),
        "found 0, 1, 2, 3, 4. Correct",
    ),
    Refused(
        "marks.csv",
        rows(lambda n, p, k: f"{p},{k},maybe", head="path,label,is_test\n"),
        "yes or no.*found maybe",
    ),
    Refused("line.jsonl", '{"path": "cat/0.jpg", "label": "cat"}\n{"path": \n', "line 2: "),
    Refused("number.jsonl", "1\n2\n", "line 1: not a record"),
    Refused("deep.json", "[" * 100_000, "deep.json"),
    Refused("category.json", json.dumps(COCO | {"categories": []}), "category 1, which is not among"),
    Refused("task.json", json.dumps([{"data": {"text": "hello"}}]), "a task without a picture"),
    Refused("nowhere.csv", rows(lambda n, p, k: f"{n}/{n}x.jpg,{k}", head="path,label\n"), "--root FOLDER"),
    Refused(
        "names.csv",
        rows(lambda n, p, k: f"{p.split('/')[1]},{k}", head="path,label\n"),
        r"Use --path-template '\{label\}/\{\}'",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_is_refused_says_what_to_do(case: Refused, tmp_path: Path):
    """One line with the file, what is wrong, and the flag or the deed that mends it."""
    file = pictures(tmp_path) / case.name
    file.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    with pytest.raises(DataError, match=case.match) as caught:
        read_data(file)
    assert "\n" not in str(caught.value)


def test_pictures_with_several_labels_are_set_aside(tmp_path: Path):
    """Two categories in a COCO file, two choices in a task: the picture has no single label, the others stay."""
    coco = json.loads(json.dumps(COCO))
    coco["annotations"].append({"id": 99, "image_id": 7, "category_id": 3})
    tasks = json.loads(json.dumps(TASKS))
    tasks[0]["annotations"].append({"result": [{"value": {"choices": ["dog"]}}]})
    for name, document in (("a.json", coco), ("b.json", tasks)):
        (pictures(tmp_path) / name).write_text(json.dumps(document))
        index = read_data(tmp_path / name)
        assert index.set_aside() == [
            ("cat/0.jpg", Problem(ProblemKind.SEVERAL_LABELS, "it has several labels: cat, dog"))
        ]
        assert said(index) == LABELS | {"cat/0.jpg": ""}
    assert read_data(tmp_path / "a.json").classes == ("dog", "cat")  # the order of the categories


@pytest.mark.parametrize("mark", ["|", ";", " "])
def test_cells_with_several_labels_are_said(mark: str, tmp_path: Path):
    """`cat|outdoor` beside `cat` is a class here; that is said with the count and an example. Plain names are not."""
    text = rows(lambda n, p, k: f'{p},"{k}{mark + "outdoor" if n % 3 == 2 else ""}"', head="path,label\n")
    (pictures(tmp_path) / "a.csv").write_text(text)
    index = read_data(tmp_path / "a.csv")
    assert f"2 cells seem to contain several labels, such as 'cat{mark}outdoor' next to 'cat'" in "\n".join(index.notes)
    (tmp_path / "a.csv").write_text(rows(lambda n, p, k: f"{p},{'hot ' * (n == 5)}{k}", head="path,label\n"))
    assert not any("several" in note for note in read_data(tmp_path / "a.csv").notes)


def test_numbers_among_words_are_said(tmp_path: Path):
    """A label that is a number in JSON beside others that are text is a class, and is said; numbers alone are not."""
    pictures(tmp_path)
    labels = {"cat/0.jpg": 1, "cat/1.jpg": "cat", "dog/0.jpg": "dog"}
    for name, given in (("mixed", labels), ("plain", dict.fromkeys(labels, 1) | {"dog/0.jpg": 2})):
        lines = [json.dumps({"path": path, "label": label}) for path, label in given.items()]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    told = "1 labels are numbers, such as 1, next to text, such as 'cat'; each is treated as a class"
    assert told in read_data(tmp_path / "mixed.jsonl").notes
    assert not any("numbers" in note for note in read_data(tmp_path / "plain.jsonl").notes)


def test_a_class_called_train(tmp_path: Path):
    """A column `train` of ones and zeros beside others is the class of trains; beside a label it says the split."""
    text = rows(lambda n, p, k: f"{p},{int(k == 'cat')},{int(k == 'dog')}", head="filename,plane,train\n")
    (pictures(tmp_path) / "a.csv").write_text(text)
    index = read_data(tmp_path / "a.csv")
    assert index.classes == ("plane", "train") and set(index.column("split")) == {""}


def test_rows_that_name_a_picture_again_are_said(tmp_path: Path):
    """As tables of boxes do: how many, and which."""
    (pictures(tmp_path) / "a.csv").write_text(PLAIN + "cat/0.jpg,cat\ncat/0.jpg,cat\n")
    assert "2 rows repeat a picture of another row, such as 'cat/0.jpg'" in read_data(tmp_path / "a.csv").notes


def test_root_template_and_encoding_are_settings(tmp_path: Path):
    """Where paths begin, what they are made of and what the text is in can be said; a wrong one is told at once."""
    pictures(tmp_path / "photos")
    table = tmp_path / "tables" / "a.csv"
    table.parent.mkdir()
    table.write_bytes(rows(lambda n, p, k: f"{p[4:-4]};{k}é", head="id;label\n").encode("mac_roman"))
    reading = ReadingConfig(root=tmp_path / "photos", path_template="{kind}/{}.jpg", encoding="mac_roman")
    with pytest.raises(DataError, match=r"a column 'kind'.*--path-template"):
        read_data(table, reading)
    table.write_bytes(rows(lambda n, p, k: f"{p[4:-4]};{k}é;{k}", head="id;label;kind\n").encode("mac_roman"))
    index = read_data(table, reading)
    assert said(index) == {path: f"{label}é" for path, label in PICTURES} and index.root == tmp_path / "photos"
    for words, match in (({"path_template": "train/"}, "with {}"), ({"encoding": "klingon"}, "klingon"),
                         ({"encoding": "base64"}, "base64")):  # fmt: skip
        with pytest.raises(ConfigError, match=match):
            ReadingConfig(**words)


def test_ids_are_found_below_the_table(tmp_path: Path):
    """Ids of pictures in one folder give the template; of a few that are gone only these rows are set aside."""
    for n in range(6):
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / "train" / f"1.2.{n}.png").write_bytes(b"x")
    (tmp_path / "a.csv").write_text("id,breed\n" + "".join(f"1.2.{n},{'ab'[n % 2]}\n" for n in range(7)))
    index = read_data(tmp_path / "a.csv")
    assert "6 files were found by name (--path-template 'train/{}.png')" in index.notes
    assert index.set_aside() == [("1.2.6", ProblemKind.UNREADABLE.told("No such file or directory"))]
    told = read_data(tmp_path / "a.csv", ReadingConfig(path_template="train/{}.png"))
    assert list(told.column("path"))[:6] == list(index.column("path"))[:6]
    with pytest.raises(DataError, match=r"Use --path-template 'train/\{\}\.png'"):
        read_data(tmp_path / "a.csv", ReadingConfig(path_template="tain/{}.png"))


def test_numbers_with_zeros_before_them(tmp_path: Path):
    """{:05} writes an id of a number as the names of files have it; a long text list is known by its first lines."""
    lines = []
    for number in range(4000):
        if number < 6:
            (tmp_path / f"{number:05}.jpg").write_bytes(b"x")
            lines.append(f"{number},{'ab'[number % 2]}")
    (tmp_path / "a.csv").write_text("id,label\n" + "\n".join(lines) + "\n")
    index = read_data(tmp_path / "a.csv", ReadingConfig(path_template="{:05}.jpg"))
    assert list(index.column("path")) == [f"{number:05}.jpg" for number in range(6)]
    long = "".join(f"00000.jpg 猫{'é' * (n % 7)}\n" for n in range(9000))
    (tmp_path / "long.txt").write_text(long, encoding="utf-8")
    assert len(read_data(tmp_path / "long.txt")) == 9000


def test_names_that_label_studio_gave(tmp_path: Path):
    """Of an upload the file's own name, where it is one alone; with --path-template beside others of that name."""
    for label, name in (("cat", "x y.jpg"), ("dog", "z.jpg")):
        (tmp_path / label).mkdir()
        (tmp_path / label / name).write_bytes(b"x")
    rest = "image,choice\n/data/upload/1/0123abcd-x y.jpg,cat\n/data/upload/1/ffffffff-z.jpg,dog\n"
    (tmp_path / "a.csv").write_text(rest)
    assert said(read_data(tmp_path / "a.csv")) == {"cat/x y.jpg": "cat", "dog/z.jpg": "dog"}
    (tmp_path / "dog" / "x y.jpg").write_bytes(b"x")
    (tmp_path / "cat" / "z.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"Use --path-template '\{choice\}/\{\}'"):
        read_data(tmp_path / "a.csv")
    told = read_data(tmp_path / "a.csv", ReadingConfig(path_template="{choice}/{}"))
    assert said(told) == {"cat/x y.jpg": "cat", "dog/z.jpg": "dog"}


def test_a_file_is_not_taken_for_two_pictures(tmp_path: Path):
    """A missing picture is not replaced by another row's, nor by a mask beside it, nor sought outside the folder."""
    pictures(tmp_path / "data")
    (tmp_path / "data" / "cat" / "9.png").write_bytes(b"mask")
    (tmp_path / "elsewhere.jpg").write_bytes(b"x")
    text = PLAIN + "old/cat/0.jpg,cat\ncat/9.jpg,cat\nelsewhere.jpg,cat\n"
    (tmp_path / "data" / "a.csv").write_text(text)
    index = read_data(tmp_path / "data" / "a.csv")
    assert [path for path, _ in index.set_aside()] == ["old/cat/0.jpg", "cat/9.jpg", "elsewhere.jpg"]
    (tmp_path / "data" / "a.csv").write_text("path,label\na/0.jpg,cat\nb/0.jpg,dog\nelsewhere.jpg,cat\n")
    with pytest.raises(DataError, match="3 of 3 missing"):
        read_data(tmp_path / "data" / "a.csv")


def halves(root: Path, first: str, second: str, *, head: str = "path,label\n") -> None:
    pictures(root)
    for name, part in ((first, PICTURES[::2]), (second, PICTURES[1::2])):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(head + "".join(f"{path},{label}\n" for path, label in part))


@pytest.mark.parametrize(
    ("names", "place", "splits"),
    [
        (("a.csv", "b.csv"), "{a,b}.csv", {""}),
        (("a.csv", "b.csv"), "*.csv", {""}),
        (("train.csv", "my_test.csv"), "*.csv", {"train", "test"}),
        (("train_labels.csv", "valid_labels.csv"), "", {"train", "val"}),
        (("a.csv", "b.csv"), "", {""}),
    ],
)
def test_several_tables_are_one_data_set(names: tuple[str, str], place: str, splits: set[str], tmp_path: Path):
    """Of a pattern, or of a folder with tables and nothing else, all are read; splits by the names of the files."""
    halves(tmp_path / "tables", *names)
    if not place:  # a folder of tables whose pictures lie elsewhere
        pictures(tmp_path / "photos")
        for label in ("cat", "dog"):
            for file in (tmp_path / "tables" / label).iterdir():
                file.unlink()
            (tmp_path / "tables" / label).rmdir()
    reading = ReadingConfig() if place else ReadingConfig(root=tmp_path / "photos")
    index = read_data(tmp_path / "tables" / place, reading)
    assert said(index) == LABELS and set(index.column("split")) == splits
    assert any(note.startswith("2 tables: ") and "(3 rows)" in note for note in index.notes)


def test_tables_that_contradict_each_other_are_refused(tmp_path: Path):
    """A picture in two, other columns, other layouts: an error that names both files."""
    halves(tmp_path, "a.csv", "b.csv")
    (tmp_path / "d.csv").write_text("path,kind\ndog/1.jpg,dog\n")
    for twice in ("cat/0.jpg", "./cat/0.jpg", str(tmp_path / "cat" / "0.jpg"), "dog/../cat/0.jpg"):
        (tmp_path / "c.csv").write_text(f"path,label\n{twice},dog\n")
        with pytest.raises(DataError, match=r"1 in 'a\.csv' and 'c\.csv', such as 'cat/0\.jpg'"):
            read_data(tmp_path / "{a,c}.csv")
    with pytest.raises(DataError, match=r"'a\.csv' with columns.*'d\.csv' with columns"):
        read_data(tmp_path / "{a,d}.csv")
    (tmp_path / "e.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"a\.csv' as manifest, .*e\.npz' as arrays"):
        read_data(tmp_path / "{a.csv,e.npz}")


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_imagefolder_of_hugging_face(suffix: str, tmp_path: Path):
    """metadata beside the pictures of each split: paths from its own folder, the split by the folder's name."""
    for split in ("train", "test"):
        pictures(tmp_path / split)
        records = [{"file_name": path, "label": label} for path, label in PICTURES]
        file = tmp_path / split / f"metadata.{suffix}"
        if suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(records), file)
        elif suffix == "csv":
            file.write_text("file_name,label\n" + "".join(f"{path},{label}\n" for path, label in PICTURES))
        else:
            file.write_text("".join(json.dumps(record) + "\n" for record in records))
    index = read_data(tmp_path)
    assert "read as imagefolder (--layout imagefolder)" in index.notes
    assert said(index) == {f"{split}/{path}": label for split in ("train", "test") for path, label in PICTURES}
    assert [path.split("/")[0] for path in index.column("path")] == list(index.column("split"))


def test_folders_with_captions_alone_stay_folders(tmp_path: Path):
    """A metadata file that has no label says nothing of classes: the folders do."""
    (pictures(tmp_path) / "metadata.csv").write_text("file_name,text\ncat/0.jpg,a cat on a mat\n")
    assert said(read_data(tmp_path)) == LABELS


def test_exports_of_roboflow(tmp_path: Path):
    """_classes.csv in each split's folder, a one in a column for each class."""
    for split in ("train", "valid"):
        pictures(tmp_path / split)
        text = rows(lambda n, p, k: f"{p}, {int(k == 'cat')}, {int(k == 'dog')}", head="filename, cat, dog\n")
        (tmp_path / split / "_classes.csv").write_text(text)
    index = read_data(tmp_path)
    assert len(index) == 12 and set(index.column("split")) == {"train", "val"} and index.classes == ("cat", "dog")
