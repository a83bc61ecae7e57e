"""What `icat.objects` and `icat.search` ask, give and refuse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from pacer_core import NotYet
from pacer_icat import IcatClient, IcatFault, Q, QueryError
from pacer_icat.client import SeveralError, Shared
from pacer_icat.collation import fold
from pacer_icat.query import run
from pacer_icat.soap import Bean
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.catalogue import Row, fill
from plugins.pacer_icat.tests.support import options_for

NASTY = [
    "x' OR 'a' = 'a", "'", "''", "\\", "\\'", ":name", ":user", "%", "_", "!", "{ts 2025-01-01 00:00:00}",
    "o.id", "NULL", ") OR (o.id > 0", "😀", "a\nb", "<a>&amp;", "--", "/* */",
]  # fmt: skip


@pytest.fixture
def rows(icat: IcatClient) -> list[Row]:
    return fill(icat)


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("eq", lambda text, value: fold(text) == fold(value)),
        ("ieq", lambda text, value: fold(text) == fold(value)),
        ("in", lambda text, value: fold(text) == fold(value)),
        ("contains", lambda text, value: value in text),
        ("icontains", lambda text, value: value in text),
        ("startswith", lambda text, value: text.startswith(value)),
        ("iendswith", lambda text, value: text.endswith(value)),
    ],
)
def test_quotes_wildcards_and_words_of_the_language_are_data(
    icat: IcatClient, name: str, holds: Callable[[str, str], bool]
) -> None:
    icat.shared.wire.create_many([Bean("Technique", {"name": value}) for value in NASTY])
    for value in NASTY:
        condition = {f"name__{name}": [value] if name == "in" else value}
        found = icat.objects("Technique").filter(**condition).values("name")
        assert [one["name"] for one in found] == [text for text in NASTY if holds(text, value)]
        assert icat.objects("Technique").exclude(**condition).count() == len(NASTY) - len(list(found))


def test_like_takes_a_pattern_in_which_a_backslash_makes_data(icat: IcatClient) -> None:
    for name in ("50%", "500", "a_b", "axb", "c\\d", "e!f"):
        icat.new("Technique", name=name).create()

    def like(pattern: str) -> list[str]:
        return icat.search("Technique", {"name__like": pattern}, attributes="name", order="name")  # type: ignore[no-any-return]  # names

    assert like("50_") == ["50%", "500"]
    assert like("50\\%") == ["50%"]
    assert sorted(like("A_B")) == ["a_b", "axb"]
    assert like("a\\_b") == ["a_b"]
    assert like("c\\\\d") == ["c\\d"]
    assert like("e!f") == ["e!f"]
    assert icat.search("Technique", {"name__ilike": "AX%"}, attributes="name") == ["axb"]


@pytest.mark.parametrize(
    ("entity", "conditions", "words"),
    [
        ("Datset", {}, "no entity 'Datset': did you mean 'Dataset'"),
        ("Dataset o, User u", {}, "no entity"),
        ("Parameter", {}, "no entity 'Parameter': did you mean '[A-Za-z]*Parameter"),
        ("dataset", {}, "did you mean 'Dataset'"),
        ("Dataset", {"nme": "x"}, "Dataset has no 'nme': did you mean 'name'"),
        ("Dataset", {"sample__nam": "x"}, r"Sample has no 'nam' \(in 'sample__nam'\): did you mean 'name'"),
        ("Dataset", {"name__startwith": "x"}, "'startwith' is no operator.*did you mean 'startswith'"),
        ("Dataset", {"name__first": "x"}, "no operator.*there are between, contains"),
        ("Dataset", {"name__first__eq": "x"}, "'name' has no 'first'.*attribute, no relation"),
        ("Dataset", {"name = 'x' OR o.name": "x"}, "Dataset has no"),
        ("Dataset", {"": "x"}, "Dataset has no ''"),
        ("Dataset", {"fileSize": "big"}, "'fileSize' takes a whole number"),
        ("Dataset", {"fileSize": 1.5}, "takes a whole number, not a float"),
        ("Dataset", {"fileSize": True}, "takes a whole number, not a bool"),
        ("Dataset", {"fileSize": 1e300}, "takes a whole number, not a float"),
        ("Dataset", {"fileSize": float("nan")}, "takes a whole number, not a float"),
        ("Dataset", {"fileSize": 2**63}, "takes a whole number below"),
        ("Dataset", {"fileSize__contains": "1"}, "compares texts"),
        ("Dataset", {"name__contains": 1}, "takes a text, not a int"),
        ("Dataset", {"name": b"x"}, "takes a text, not a bytes"),
        ("Dataset", {"name": "\x00"}, "without control characters"),
        ("Dataset", {"name__gt": None}, "takes a text, not None"),
        ("Dataset", {"name__in": "x"}, "takes several values"),
        ("Dataset", {"name__in": 1}, "takes several values"),
        ("Dataset", {"name__between": ["a"]}, "takes two values"),
        ("Dataset", {"name__isnull": 1}, "takes True or False"),
        ("Dataset", {"fileSize": "1_000"}, "'fileSize' takes a whole number"),
        ("Dataset", {"complete": 2}, "takes True or False, not a int"),
        ("DatasetParameter", {"numericValue": "1_000"}, "takes a number"),
        ("Dataset", {"complete": "perhaps"}, "takes True or False, not a str"),
        ("Dataset", {"complete__gt": False}, "have no order"),
        ("Dataset", {"startDate": "yesterday"}, "not a text that is none in ISO 8601"),
        ("Dataset", {"startDate": 5}, "takes a time, not a int"),
        ("Dataset", {"startDate": datetime(1200, 1, 1, tzinfo=UTC)}, "in the years 1583"),
        ("Dataset", {"sample__gt": 3}, "is a relation, which has eq"),
        ("Dataset", {"sample": "s1"}, "takes a Sample or its id, not a str"),
        ("Dataset", {"sample__isnull": "yes"}, "takes True or False"),
        ("Dataset", {"datafiles": None}, "takes a Datafile or its id, not a NoneType"),
        ("DatasetParameter", {"numericValue": float("nan")}, "takes a finite number"),
        ("DatasetParameter", {"numericValue": [1]}, "takes a number, not a list"),
        ("DatasetParameter", {"numericValue": "much"}, "takes a number"),
        ("ParameterType", {"valueType": "STRING'"}, "takes the name of an enumeration's value"),
        ("ParameterType", {"valueType__gt": "STRING"}, "have no order"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_words(
    icat: IcatClient, entity: str, conditions: dict[str, Any], words: str
) -> None:
    with pytest.raises(QueryError, match=words):
        icat.search(entity, conditions)


def test_a_refusal_quotes_no_value(icat: IcatClient) -> None:
    for conditions in (
        {"startDate": "Ada Lovelace"},
        {"fileSize": "Ada Lovelace"},
        {"sample": "Ada Lovelace"},
    ):
        with pytest.raises(QueryError) as caught:
            icat.search("Dataset", conditions)
        assert "Lovelace" not in str(caught.value)
    assert "Lovelace" not in repr(icat.objects("User").filter(Q(name="Lovelace") | ~Q(email="Lovelace")))


def test_values_are_typed_by_the_schema(icat: IcatClient, rows: list[Row]) -> None:
    datasets = icat.objects("Dataset")
    dated = [row for row in rows if row.start is not None]
    first = dated[0]
    assert first.start is not None
    days = {(row.start.date()) for row in dated if row.start}
    assert datasets.filter(startDate=first.start).count() == len([r for r in dated if r.start == first.start])
    assert datasets.filter(startDate__gte=date(2025, 3, 4)).count() == len(
        [row for row in dated if row.start and row.start >= datetime(2025, 3, 3, 23, tzinfo=UTC)]
    )
    assert datasets.filter(startDate__gte="2025-03-01").count() == len(dated)
    assert (
        datasets.filter(startDate="2025-03-01T01:00:00").count()
        == datasets.filter(startDate="2025-03-01T00:00:00Z").count()
    )
    assert len(days) > 1
    half = first.start + timedelta(seconds=0.5)
    at = datasets.filter(startDate=first.start).count()
    assert datasets.filter(startDate__lt=half, startDate__gte=first.start).count() == at
    assert datasets.filter(startDate__between=(first.start, half)).count() == at
    assert not datasets.filter(startDate__gte=half, startDate__lte=first.start).exists()
    assert datasets.filter(id=Fraction(first.id), parameters__numericValue__lt=Decimal("1.5")).count() == (
        1.0 in first.numbers
    )
    assert datasets.filter(id=str(first.id), complete="true").count() == int(first.complete)
    assert datasets.filter(fileSize__in=[0, 0.0, "0"]).count() == len(rows)
    assert (
        datasets.filter(parameters__numericValue="5").count()
        == datasets.filter(parameters__numericValue=5.0).count()
    )
    assert icat.objects("ParameterType").filter(valueType="NUMERIC", name__startswith="query-").count() == 2
    assert not icat.objects("ParameterType").filter(valueType="STRING", name__startswith="query-").exists()
    investigation = icat.one("Investigation", name="hg123")
    assert (
        datasets.filter(investigation=investigation).count()
        == datasets.filter(investigation__in=[investigation.id]).count()
    )
    assert investigation.name == "hg123"
    with pytest.raises(QueryError, match="create it first"):
        datasets.filter(investigation=icat.new("Investigation", name="x")).count()


def test_conditions_on_many_are_about_one_related_object_unless_they_are_asked_apart(
    icat: IcatClient, rows: list[Row]
) -> None:
    datasets = icat.objects("Dataset")
    low = {"parameters__numericValue": 1, "parameters__type__name": "query-gain"}
    assert datasets.filter(**low).count() == 0
    assert (
        datasets.filter(Q(parameters__numericValue=1) & Q(parameters__type__name="query-gain")).count() == 0
    )
    apart = datasets.filter(parameters__numericValue=1).filter(parameters__type__name="query-gain")
    assert apart.count() == len([row for row in rows if len(row.numbers) == 2])
    assert datasets.exclude(**low).count() == len(rows)


def test_a_list_may_be_whatever_gives_values(icat: IcatClient, rows: list[Row]) -> None:
    ids = [row.id for row in rows[:3]]
    asked = icat.objects("Dataset").filter(id__in=(one for one in ids))
    assert [asked.count(), len(list(asked)), asked.filter(id__in={ids[0]: 1}).count()] == [3, 3, 1]
    visits = icat.objects("Investigation").filter(name="hg123")
    wanted = len([row for row in rows if row.visit == "bm00"])
    assert icat.objects("Dataset").filter(investigation__in=visits).count() == wanted


def test_every_object_is_given_once_however_many_related_ones_fit(icat: IcatClient, rows: list[Row]) -> None:
    found = list(icat.objects("Investigation").filter(datasets__isnull=False).values("name"))
    assert len(found) == 2
    assert icat.objects("Investigation").filter(datasets__datafiles__name__in=["f0", "f1"]).count() == 2
    assert icat.objects("Investigation").filter(datasets__datafiles__isnull=True).count() == 2
    assert icat.objects("Investigation").exclude(datasets__name__isnull=False).count() == 2
    file = icat.objects("Datafile").filter(name="f1").first()
    assert [one.id for one in icat.objects("Dataset").filter(datafiles=file)] == [file.dataset.id]


def test_search_is_the_call_that_users_of_pacer_know(icat: IcatClient, rows: list[Row]) -> None:
    found = icat.search(
        entity="Dataset",
        conditions={"name__in": [row.name for row in rows[:4]], "investigation__name": "hg123"},
        includes=["investigation", "parameters.type"],
        order=["-name", ("id", "ASC")],
        limit=3,
    )
    assert [one.id for one in found] == [
        row.id for row in sorted(rows[:4], key=lambda row: row.name, reverse=True) if row.visit == "bm00"
    ]
    before = icat.calls
    assert {one.investigation.name for one in found} == {"hg123"}
    assert all(parameter.type.name.startswith("query-") for one in found for parameter in one.parameters)
    assert icat.calls == before

    (first, *_) = icat.search("Dataset", includes="sample", order=("name", "DESC"))
    assert first.name == max((row.name for row in rows), key=lambda name: (fold(name), name))

    def names(**more: Any) -> Any:
        return icat.search("Dataset", {"id": rows[0].id}, attributes="name", **more)

    assert names() == [rows[0].name]
    assert names(flatten_single=True) == rows[0].name
    assert icat.search("Dataset", {"id": -1}, flatten_single=True) is None
    assert icat.search("Dataset", {"id": -1}) == []
    assert len(icat.search("Dataset", flatten_single=True)) == len(rows)
    assert icat.search("Dataset", attributes=["id", "sample.name"], order="id", limit=(2, 2)) == [
        (row.id, row.sample) for row in rows[2:4]
    ]
    assert icat.search("Dataset", Q(complete=True) | Q(complete=False), limit=0) == []


def test_nothing_is_asked_before_somebody_looks(icat: IcatClient) -> None:
    before = icat.calls
    asked = icat.objects("Dataset").filter(name="x").exclude(Q(id=1) | Q(id=2)).order_by("name")[2:10]
    asked = asked.include("sample").values("name")
    assert icat.calls == before
    assert not asked
    assert icat.calls > before


def test_slices_are_asked_for_and_not_cut_here(icat: IcatClient, rows: list[Row]) -> None:
    asked = icat.objects("Dataset").order_by("-id")
    ids = [row.id for row in reversed(rows)]
    assert asked[3].id == ids[3]
    assert asked.first().id == ids[0]
    assert [one.id for one in asked[5:][2:4]] == ids[7:9]
    assert asked[5:8][1:].count() == 2
    assert asked[38:50].count() == 2
    assert list(asked[2:2]) == []
    assert asked[50:].first() is None
    assert icat.objects("Dataset").filter(id=-1).first() is None
    with pytest.raises(IndexError):
        asked[100]
    for cut in (lambda: asked[-1], lambda: asked[::2], lambda: asked[-3:], lambda: asked[:4].filter(id=1)):
        with pytest.raises(QueryError):
            cut()


def test_values_are_dictionaries_of_what_was_named_or_of_all_attributes(
    icat: IcatClient, rows: list[Row]
) -> None:
    asked = icat.objects("Dataset").filter(id=rows[1].id)
    assert list(asked.values("name", "sample__type__name", "endDate")) == [
        {"name": rows[1].name, "sample__type__name": rows[1].kind, "endDate": None}
    ]
    (everything,) = asked.values()
    assert everything["complete"] is rows[1].complete
    assert "investigation" not in everything
    for path, words in (
        ("sample", "name an attribute, as in 'sample.id'"),
        ("datafiles.name", "'datafiles' is many; ask for Datafile objects"),
        ("nme", "did you mean 'name'"),
    ):
        with pytest.raises(QueryError, match=words):
            list(asked.values(path))
    with pytest.raises(QueryError, match="'name' is an attribute, and always there"):
        list(asked.include("name"))
    with pytest.raises(QueryError, match="did you mean 'sample'"):
        list(asked.include("smple"))


def test_one_is_one(icat: IcatClient, rows: list[Row]) -> None:
    assert icat.objects("Dataset").filter(id=rows[0].id).one().id == rows[0].id
    with pytest.raises(NotYet, match="no Dataset of this id, name"):
        icat.objects("Dataset").filter(Q(id=-1) | Q(name="x")).one()
    with pytest.raises(SeveralError):
        icat.objects("Dataset").one()


def test_impossible_conditions_ask_nothing(icat: IcatClient, rows: list[Row]) -> None:
    icat.objects("Dataset").filter(parameters__numericValue=1).count()  # for the schema
    before = icat.calls
    nothing = icat.objects("Dataset").filter(id__in=[])
    assert list(nothing) == []
    assert nothing.count() == 0
    assert not nothing.filter(name="x").exists()
    assert list(icat.objects("Dataset").filter(parameters__numericValue__in=[]).values("id")) == []
    assert icat.calls == before
    assert icat.objects("Dataset").exclude(id__in=[]).count() == len(rows)


@pytest.mark.parametrize("order", [[], ["-description", "name"]])
def test_long_lists_are_split_and_lose_nothing(
    icat: IcatClient, rows: list[Row], order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"nowhere{place}" for place in range(2500)]
    for place, row in enumerate(rows):
        names.insert(place * 60, row.name)
    names += [rows[3].name.upper(), rows[3].name]  # found by two lists
    kept = {"name__in": names, "complete": False}
    asked = icat.objects("Dataset").filter(**kept).order_by(*order)
    wanted = icat.objects("Dataset").filter(complete=False).order_by(*order)
    ids = [one.id for one in wanted]
    posted: list[int] = []
    post = icat.shared.wire.post

    def counting(body: bytes) -> tuple[int, bytes]:
        posted.append(len(body))
        return post(body)

    monkeypatch.setattr(icat.shared.wire, "post", counting)
    assert [one.id for one in asked] == ids
    assert len(posted) == 4  # three lists of names, and one of ids
    assert max(posted) < 30_000
    assert [values["id"] for values in asked.values("id")] == ids
    assert [values["id"] for values in asked[3:9].values("id")] == ids[3:9]
    assert asked.count() == len(ids)
    assert asked.exists()
    # Where it cannot be split, it is asked whole.
    either = icat.objects("Dataset").filter(Q(name__in=names) | Q(id=-1), complete=False)
    assert either.count() == len(ids)
    assert icat.objects("Dataset").exclude(name__in=names).count() == 0


def test_few_but_long_texts_are_split_as_well(icat: IcatClient, rows: list[Row]) -> None:
    locations = [f"/data/{place:03}/{'x' * 400}" for place in range(600)]
    before = icat.calls
    assert icat.search("Dataset", {"location__in": locations}) == []
    assert icat.calls - before == 3


@pytest.mark.parametrize("page", [1, 7, 40])
def test_pages_are_turned_without_being_seen(
    icat: IcatClient, rows: list[Row], page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_PAGE", page)
    ids = [row.id for row in rows]
    asked = icat.objects("Dataset")
    assert [one.id for one in asked] == ids
    assert [one["id"] for one in asked.order_by("-id").values("id")] == ids[::-1]
    assert [one.id for one in asked.order_by("complete", "id")[3:30]] == [
        row.id for row in sorted(rows, key=lambda row: row.complete)[3:30]
    ]
    assert [one["id"] for one in asked[5:21].values("id", "description")] == ids[5:21]


@pytest.mark.parametrize("order", [[], ["complete"], ["-description", "id"]])
def test_objects_may_be_changed_while_they_are_read(
    icat: IcatClient, rows: list[Row], order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_PAGE", 7)
    seen = []
    for dataset in icat.objects("Dataset").filter(complete=False).order_by(*order):
        seen.append(dataset.id)
        dataset.complete = True
        dataset.description = "z"
        dataset.update()
    assert sorted(seen) == [row.id for row in rows if not row.complete]
    assert not icat.objects("Dataset").filter(complete=False).exists()


def test_an_icat_that_gives_little_at_a_time_gives_all_in_the_end() -> None:
    with IcatSandbox(seed="demo", max_entities=10) as server:
        shared = Shared(options_for(server))
        icat = IcatClient(shared)
        sizes = [0, 3, 25, 1, 12]
        kind = icat.one("DatasetType", name="acquisition")
        investigation = icat.one("Investigation", name="hg123")
        for place, size in enumerate(sizes):
            dataset = icat.new(
                "Dataset", name=f"d{place}", type=kind, investigation=investigation, complete=True
            )
            dataset.datafiles = [icat.new("Datafile", name=f"f{one}") for one in range(size)]
            dataset.create()
        assert icat.objects("Datafile").count() == sum(sizes)
        assert len(list(icat.objects("Datafile"))) == sum(sizes)
        assert len(list(icat.objects("Datafile").values("name"))) == sum(sizes)
        found = list(icat.objects("Dataset").include("datafiles", "investigation"))
        assert [len(one.datafiles) for one in found] == sizes
        assert {one.investigation.name for one in found} == {"hg123"}
        found = list(icat.objects("Dataset"))
        icat.prefetch(found, "datafiles.datafileFormat")
        before = icat.calls
        assert [[file.datafileFormat for file in one.datafiles] for one in found] == [
            [None] * size for size in sizes
        ]
        assert icat.calls == before
        shared.close()


def test_q_objects_join_and_turn_round(icat: IcatClient, rows: list[Row]) -> None:
    def count(q: Q) -> int:
        return icat.objects("Dataset").filter(q).count()

    kinds: dict[str, Callable[[Row], bool]] = {
        "a": lambda row: row.complete,
        "b": lambda row: row.sample == "s1",
    }
    a, b = Q(complete=True), Q(sample__name="s1")
    tell = [(kinds["a"](row), kinds["b"](row)) for row in rows]
    assert count(a & b) == tell.count((True, True))
    assert count(~(a | b)) == tell.count((False, False))
    assert count(~a & b) == tell.count((False, True))
    assert count(Q(a | b, ~(a & b))) == len(tell) - tell.count((True, True)) - tell.count((False, False))
    assert count(~~a) == count(a) == count(Q(a)) == count(Q() & a) == count(a | Q())
    assert count(Q()) == len(rows)
    assert icat.objects("Dataset").filter().exclude().count() == len(rows)
    assert repr(~(a | b) & Q(id=1)) == "Q(~Q(complete OR sample__name) AND id)"
    with pytest.raises(QueryError, match="a Q is joined with a Q, not with a dict"):
        a & {"id": 1}  # type: ignore[operator]  # the mistake
    with pytest.raises(QueryError, match="not a dict"):
        icat.objects("Dataset").filter({"id": 1})  # type: ignore[arg-type]  # the mistake


def test_relations_may_be_missing_and_joined_with_or(icat: IcatClient, rows: list[Row]) -> None:
    samples = dict(icat.search("Sample", attributes=["name", "id"]))

    def ids(q: Q) -> list[int]:
        return [one["id"] for one in icat.objects("Dataset").filter(q).values("id")]

    assert ids(Q(sample=None)) == ids(Q(sample__isnull=True)) == [row.id for row in rows if not row.sample]
    assert ids(Q(sample__in=[None, samples["s1"]])) == [row.id for row in rows if row.sample in (None, "s1")]
    assert ids(Q(sample__ne=samples["s1"])) == [row.id for row in rows if row.sample != "s1"]
    assert ids(Q(sample__type__name="P") | Q(datafiles__name="f1") | Q(datafiles__isnull=True)) == [
        row.id for row in rows if row.kind == "P" or "f1" in row.files or not row.files
    ]
    assert ids(~(Q(sample__type__name="P") | Q(datafiles__name="f1"))) == [
        row.id for row in rows if row.kind != "P" and "f1" not in row.files
    ]


def test_what_would_be_asked_can_be_seen(icat: IcatClient, rows: list[Row]) -> None:
    asked = icat.objects("Dataset").filter(sample__type__name="P", complete=True).order_by("-name")
    query = asked.query()
    assert query == (
        "SELECT o FROM Dataset o LEFT JOIN o.sample j1 LEFT JOIN j1.type j2 "
        "WHERE (j2.name = 'P' AND o.complete = TRUE) ORDER BY o.name DESC, o.id"
    )
    assert [one.id for one in icat.python_icat.search(query)] == [one.id for one in asked]
    assert icat.objects("Dataset").filter(id__in=[]).query() == ""


def test_a_refusal_by_icat_is_no_page_that_is_too_large(icat: IcatClient, icat_server: IcatSandbox) -> None:
    icat.objects("Dataset").count()
    icat_server.misbehave.fail("internal", at=1, operation="search")
    with pytest.raises(IcatFault, match="INTERNAL"):
        list(icat.objects("Dataset").values("id"))


def test_several_conditions_on_one_field_hold_together(icat: IcatClient, rows: list[Row]) -> None:
    asked = icat.objects("Dataset").filter(id__gt=rows[2].id, id__lte=rows[9].id, id__ne=rows[5].id)
    assert asked.count() == 6
    assert asked.filter(id__between=(rows[0].id, rows[4].id)).count() == 2
