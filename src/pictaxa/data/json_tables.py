"""Tables in JSON: lines, lists of records, and what annotation tools write: COCO, Label Studio, VIA."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config.documents import parse_json
from ..errors import Problem, ProblemKind
from ..images.decode import is_picture
from ..limits import MAX_CELLS
from .listing import some
from .table import Table

PATH_KEYS = ("image", "img", "photo", "picture", "file_name", "filename", "path")  # of Label Studio's tasks
Record = Mapping[str, object]


def read_json_lines(text: str, *, file: Path, notes: tuple[str, ...]) -> Table:
    """A record to a line; ValueError for a line that is none."""
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append(parse_json(line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if not isinstance(records[-1], (dict, list)):
            raise ValueError(f"line {number}: not a record like {{...}}")
    return _from_records(records, file=file, notes=notes)


def read_json(text: str, *, file: Path, notes: tuple[str, ...]) -> Table:
    """Whichever of the forms a document has; ValueError for one that has none of them."""
    document = parse_json(text)
    if isinstance(document, list):
        is_tasks = bool(document) and all(isinstance(item, dict) and "data" in item for item in document)
        return _label_studio(document, file, notes) if is_tasks else _from_records(document, file=file, notes=notes)
    if not isinstance(document, dict) or not document:
        raise ValueError("no records")
    if all(isinstance(document.get(key), list) for key in ("images", "annotations", "categories")):
        return _coco(document, file, notes)
    regions = document.get("_via_img_metadata", document)  # of a project, and by itself
    if isinstance(regions, dict) and all(isinstance(item, dict) and "filename" in item for item in regions.values()):
        return _from_records(list(regions.values()), file=file, notes=notes)
    return _from_dictionary(document, file=file, notes=notes)


def _from_dictionary(document: Mapping[str, Any], *, file: Path, notes: tuple[str, ...]) -> Table:
    """Path to label, label to paths, columns as pandas has them, or records under one of the keys."""
    values = list(document.values())
    if all(is_picture(key) for key in document):
        return _pairs(list(document.items()), file=file, notes=notes)
    if all(isinstance(value, list) and value and all(is_picture(str(path)) for path in value) for value in values):
        pairs = [(path, label) for label, paths in document.items() for path in paths]
        return _pairs(pairs, file=file, notes=notes)
    if (
        all(isinstance(value, (dict, list)) and value for value in values)
        and len({len(value) for value in values}) == 1
    ):
        columns = {name: list(value.values()) if isinstance(value, dict) else value for name, value in document.items()}
        if not any(isinstance(cell, (dict, list)) for column in columns.values() for cell in column):
            return Table(file, columns, notes=notes)
    records = max((value for value in values if isinstance(value, list)), key=len, default=[])
    return _from_records(records, file=file, notes=notes)


def _from_records(records: Sequence[object], *, file: Path, notes: tuple[str, ...]) -> Table:
    """Records with the same keys, or pairs of path and label."""
    if not records:
        raise ValueError("no records")
    if all(isinstance(record, list) and len(record) == 2 for record in records):
        return _pairs(
            [(record[0], record[1]) for record in records if isinstance(record, list)], file=file, notes=notes
        )
    names: dict[str, None] = {}
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise ValueError(f"record {number} is not like {{...}}, but {str(record)[:60]}")
        names |= dict.fromkeys(record)
    if len(names) * len(records) > MAX_CELLS:
        raise ValueError(f"{len(records):,} records with {len(names):,} different keys")
    return Table(
        file,
        {name: [_named(record.get(name)) for record in records if isinstance(record, dict)] for name in names},
        notes=notes,
    )


def _named(cell: object) -> object:
    """Annotations that are records with a label, as CreateML has them: the labels, each once."""
    if isinstance(cell, list) and cell and all(isinstance(item, dict) and "label" in item for item in cell):
        return list(dict.fromkeys(item["label"] for item in cell))
    return cell


def _pairs(pairs: Sequence[tuple[object, object]], *, file: Path, notes: tuple[str, ...]) -> Table:
    columns = {"path": [path for path, _ in pairs], "label": [label for _, label in pairs]}
    return Table(file, columns, {"path": "path", "label": "label"}, notes=notes)


def one_of(labels: Sequence[str]) -> tuple[str, Problem | None]:
    """The label of a picture that was given several times, or "" and the problem where these differ."""
    distinct = list(dict.fromkeys(label for label in labels if label))
    if len(distinct) > 1:
        return "", Problem(ProblemKind.SEVERAL_LABELS, f"it has several labels: {some(distinct)}")
    return (distinct[0] if distinct else ""), None


def _coco(document: Mapping[str, Any], file: Path, notes: tuple[str, ...]) -> Table:
    """Pictures, the categories of their annotations (boxes or none), and the names of these in their order."""
    names = {_key(item, "id"): str(_key(item, "name")) for item in document["categories"]}
    given: dict[object, list[str]] = {}
    for item in document["annotations"]:
        category = _key(item, "category_id")
        if category not in names:
            raise ValueError(f"an annotation of category {category}, which is not among the categories")
        given.setdefault(_key(item, "image_id"), []).append(names[category])
    paths = [_key(item, "file_name") for item in document["images"]]
    found = [one_of(given.get(_key(item, "id"), [])) for item in document["images"]]
    return Table(
        file, {"file_name": paths, "category": [label for label, _ in found]},
        {"path": "file_name", "label": "category"}, problems=[problem for _, problem in found],
        declared=tuple(dict.fromkeys(names.values())), notes=notes,
    )  # fmt: skip


def _key(item: object, name: str) -> Any:
    if not isinstance(item, dict) or name not in item or isinstance(item[name], (dict, list)):
        raise ValueError(f"an entry without {name!r}: {str(item)[:60]}")
    return item[name]


def _label_studio(tasks: Sequence[Mapping[str, Any]], file: Path, notes: tuple[str, ...]) -> Table:
    """Tasks with the choices of their annotators."""
    paths, found = [], []
    for task in tasks:
        data = task["data"]
        path = next((data[key] for key in PATH_KEYS if isinstance(data, dict) and isinstance(data.get(key), str)), None)
        if path is None:
            raise ValueError(f"a task without a picture under one of {some(PATH_KEYS, at_most=9)}: {str(data)[:60]}")
        paths.append(path)
        choices: list[str] = []
        for annotation in task.get("annotations") or task.get("completions") or ():
            if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
                for result in annotation.get("result") or ():
                    value = result.get("value") if isinstance(result, dict) else None
                    choices += map(str, value.get("choices") or ()) if isinstance(value, dict) else ()
        found.append(one_of(choices))
    return Table(
        file, {"image": paths, "choice": [label for label, _ in found]}, {"path": "image", "label": "choice"},
        problems=[problem for _, problem in found], notes=notes,
    )  # fmt: skip


# ---- VIA (VGG Image Annotator): a row for each region, what is said of it and of the file as JSON in cells

OF_FILE, OF_REGION = "file_attributes", "region_attributes"


def with_attributes(table: Table, *, known: Callable[[str], bool], label: str) -> Table:
    """A table of VIA's with its attributes as columns and a row for each picture; any other as it is."""
    if not {"filename", OF_FILE} <= table.columns.keys():
        return table
    said: dict[str, dict[str, list[str]]] = {}  # picture -> attribute -> its values
    for row, name in enumerate(table.words("filename")):
        cells = [_document(table.columns[OF_FILE][row])]
        if OF_REGION in table.columns:
            cells.append(_document(table.columns[OF_REGION][row]))
        elif "regions" in table.columns:  # of a project: a list, or a dictionary of regions
            regions = table.columns["regions"][row]
            listed = regions.values() if isinstance(regions, dict) else regions if isinstance(regions, list) else ()
            cells += [_document(region.get(OF_REGION)) for region in listed if isinstance(region, dict)]
        own = said.setdefault(name, {})
        for attribute, value in ((key, value) for cell in cells for key, value in cell.items()):
            own.setdefault(attribute, []).extend(_options(value))
    names = list(dict.fromkeys(attribute for own in said.values() for attribute in own))
    chosen = (
        label if label in names else next((name for name in names if known(name)), names[0] if len(names) == 1 else "")
    )
    found = {name: [one_of(own.get(name, [])) for own in said.values()] for name in names}
    columns: dict[str, list[object]] = {"filename": list(said)}
    columns |= {name: [value for value, _ in pairs] for name, pairs in found.items()}
    roles = {"path": "filename"} | ({"label": chosen} if chosen else {})
    problems = [problem for _, problem in found[chosen]] if chosen else []
    return Table(table.file, columns, roles, problems=problems, notes=table.notes)


def _document(cell: object) -> dict[str, object]:
    value = cell
    if isinstance(cell, str):
        try:
            value = parse_json(cell) if cell.strip() else {}
        except ValueError:
            value = {}
    return value if isinstance(value, dict) else {}


def _options(value: object) -> list[str]:
    """An attribute's value; of boxes to tick those that are."""
    if isinstance(value, dict):
        return [str(name) for name, ticked in value.items() if ticked]
    return [str(value).strip()] if value is not None else []
