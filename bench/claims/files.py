"""Claims from a user's file, with the keys of the built-in tables (rows.py), and every mistake in it by name.

    [[sources]]
    key = "my-paper"
    paper = "My model (arXiv 2511.00001)"
    where = "table 2"
    url = "arXiv:2511.00001"
    standing = "authors"

    [[claims]]
    id = "mar-l-fid-my-paper"
    model = "mar-l"
    metric = "fid"
    printed = "1.95"
    protocol = "imagenet-256-quality"
    source = "my-paper"

The rest of a row's keys may be left out: settings, note, relative_to, half_unit, hardware, tolerance with
tolerance_reason, conflicts_with; of a source, conditions. A claim that small models can show the direction of says so:

    in_small = {model = "mar-digits", baselines = ["dit-digits", "sit-digits"], protocol = "digits-quality"}
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bench.claims.ledger import ledger, linked
from bench.claims.printed import read_printed
from bench.claims.rows import SMALL, Row, claim_of
from bench.claims.rules import NAMED_PROTOCOLS, RULES, NamedProtocol
from bench.claims.sources import STANDINGS
from bench.errors import UsageError
from bench.files import read_text
from bench.records.schema import Claim, Source

SMALL_SCALES = ("digits", "scenes")
ENVIRONMENT = "ARBITER_CLAIMS"  # files of claims, parted as in PATH
COUNTS, SHARES = ("parameters",), ("of the parameters", "precision", "recall", "GenEval")
UNITS_OF_LETTERS = {"M": COUNTS, "B": COUNTS, "%": SHARES}  # behind a printed number: 60.1% is 0.601, no accuracy in %
MOST_BYTES = 2**20  # of a file of claims; the built-in tables together hold a tenth
MOST_CLAIMS = 1000  # of a file
ID = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
TEXTS = (
    *("id", "model", "metric", "printed", "protocol", "source", "note", "relative_to", "hardware", "tolerance_reason"),
    *("key", "paper", "where", "url", "standing", "conditions"),
)
REQUIRED_OF_A_ROW = tuple(f.name for f in fields(Row) if f.default is MISSING and f.default_factory is MISSING)
REQUIRED_OF_A_SOURCE = ("key", *(f.name for f in fields(Source) if f.default is MISSING))
KEYS_OF_A_ROW = tuple(f.name for f in fields(Row))
KEYS_OF_A_SOURCE = ("key", *(f.name for f in fields(Source)))


@dataclass(frozen=True)
class Known:
    """What a file's names are checked against. Claims know neither models nor protocols: the command line does."""

    models: Collection[str] | None = None  # None: not checked
    protocols: Mapping[str, tuple[str, Collection[str]]] | None = None  # name: (scale, metric keys); None: the ledger's


def claims_in_use(files: Sequence[Path] = (), known: Known | None = None) -> tuple[Claim, ...]:
    """The ledger, and the claims of `files` and of $ARBITER_CLAIMS, linked. UsageError names the first mistake."""
    named = [Path(name) for name in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if name]
    paths = dict.fromkeys((*files, *named))
    if not paths:
        return ledger()
    claims = list(ledger())
    for path in paths:
        found, mistakes = check_claims(path, known, taken=[claim.id for claim in claims])
        if mistakes:
            more = f" ({len(mistakes) - 1} more: python -m bench claims {path})" if len(mistakes) > 1 else ""
            raise UsageError(mistakes[0] + more)
        claims += found
    return linked(claims)


def check_claims(
    path: Path, known: Known | None = None, taken: Iterable[str] | None = None
) -> tuple[tuple[Claim, ...], list[str]]:
    """The claims of a file and its mistakes, a line each; `taken` are the ids there are (None: the ledger's).

    UsageError where the file cannot be read as TOML.
    """
    known, document, mistakes = known or Known(), read_toml(path), []
    taken = {claim.id for claim in ledger()} if taken is None else set(taken)

    def say(where: str, texts: Iterable[str]) -> bool:
        said = [f"{path}: {where}: {text}" for text in texts]
        mistakes.extend(said)
        return bool(said)

    say("the file", document_mistakes(document))
    sources: dict[str, Source] = {}
    for where, entry in entries(document, "sources", "key"):
        if not say(where, source_mistakes(entry, sources)):
            sources[entry["key"]] = Source(**{name: value for name, value in entry.items() if name != "key"})
    ids = taken | {str(entry.get("id")) for _, entry in entries(document, "claims", "id") if isinstance(entry, Mapping)}
    claims: list[Claim] = []
    for where, entry in entries(document, "claims", "id"):
        if not say(where, row_mistakes(entry, known, sources, taken, ids)):
            taken.add(entry["id"])
            values = dict(entry) | {"conflicts_with": tuple(entry.get("conflicts_with", ()))}
            protocol, scale = protocol_of(entry["protocol"], known), small_scale_of(entry, known)
            claims.append(claim_of(Row(**values), sources[entry["source"]], protocol, scale))
    return tuple(claims), mistakes


def protocol_of(name: str, known: Known) -> NamedProtocol:
    """A checked protocol: as the ledger names it, with what it needs; of others the suite knows, the scale alone."""
    return NAMED_PROTOCOLS.get(name) or NamedProtocol((known.protocols or {})[name][0], ())


def small_scale_of(entry: Mapping[str, Any], known: Known) -> str:
    """Of a checked entry: the scale of its protocol in small."""
    name = entry.get("in_small", {}).get("protocol", "")
    return (known.protocols or {})[name][0] if name in (known.protocols or {}) else "digits"


def read_toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_text(path, MOST_BYTES))
    except OSError as error:
        raise UsageError(f"cannot read the claims of {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, nested too deep
        raise UsageError(f"{path} is not TOML: {str(error)[:200]}") from error


def entries(document: Mapping[str, Any], name: str, key: str) -> Iterator[tuple[str, Any]]:
    """Each table of an array of tables with the words that name it, as "claim 2 ('mar-l-fid')"."""
    found = document.get(name, [])
    for i, entry in enumerate(found[:MOST_CLAIMS] if isinstance(found, list) else [], start=1):
        called = entry.get(key) if isinstance(entry, Mapping) else None
        yield f"{name.rstrip('s')} {i}" + (f" ({called!r})" if isinstance(called, str) else ""), entry


# -- mistakes ----------------------------------------------------------------------------------------------------------


def document_mistakes(document: Mapping[str, Any]) -> Iterator[str]:
    yield from unknown_keys(document, ("sources", "claims"))
    for name in ("sources", "claims"):
        found = document.get(name, [])
        if not isinstance(found, list) or not found:
            yield f"holds no [[{name}]]"
        elif len(found) > MOST_CLAIMS:
            yield f"holds {len(found):,} [[{name}]]; at most {MOST_CLAIMS:,} fit"


def source_mistakes(entry: Any, sources: Collection[str]) -> Iterator[str]:
    yield from shape_mistakes(entry, KEYS_OF_A_SOURCE, REQUIRED_OF_A_SOURCE)
    if not isinstance(entry, Mapping):
        return
    text = {name: value for name, value in entry.items() if isinstance(value, str)}
    if text.get("key") in sources:
        yield "this key is given twice"
    if "://" in text.get("url", ""):
        yield f"url {text['url']!r} has a scheme; expected none, as 'arXiv:2406.11838' or 'github.com/LTH14/mar'"
    if "standing" in text and text["standing"] not in STANDINGS:
        yield f"unknown standing {text['standing']!r}; known: {'; '.join(STANDINGS)}"


def row_mistakes(
    entry: Any, known: Known, sources: Collection[str], taken: Collection[str], ids: Collection[str]
) -> Iterator[str]:
    """What is wrong with a claim. `taken`: ids given before it; `ids`: all that it may name as conflicts."""
    yield from shape_mistakes(entry, KEYS_OF_A_ROW, REQUIRED_OF_A_ROW)
    if not isinstance(entry, Mapping):
        return
    text = {name: value for name, value in entry.items() if isinstance(value, str)}
    if "id" in text and not ID.fullmatch(text["id"]):
        yield f"id {text['id']!r}: expected lower-case letters, digits, '-' and '.', as 'mar-l-fid-table-4'"
    if text.get("id") in taken:
        yield f"the id {text['id']!r} is taken; `python -m bench list claims` shows all"
    for key in ("model", "relative_to"):
        if key in text and known.models is not None and text[key] not in known.models:
            yield unknown("model", text[key], known.models, "models")
    if "source" in text and text["source"] not in sources:
        yield unknown("source", text["source"], sources, "") + " (in the file's [[sources]], whole ones)"
    yield from number_mistakes(entry, text)
    yield from protocol_mistakes(text, known)
    yield from small_mistakes(entry.get("in_small", {}), text.get("metric", ""), known)
    conflicts = entry.get("conflicts_with", [])
    if not isinstance(conflicts, list) or not all(isinstance(name, str) for name in conflicts):
        yield "conflicts_with: expected a list of claim ids"
    else:
        yield from (unknown("claim", name, ids, "claims") for name in conflicts if name not in ids)


def shape_mistakes(entry: Any, keys: Collection[str], required: Collection[str]) -> Iterator[str]:
    """Keys that are unknown, missing or of another type, and texts that no table can print."""
    if not isinstance(entry, Mapping):
        yield "expected a table of keys and values"
        return
    yield from unknown_keys(entry, keys)
    missing = [name for name in required if not entry.get(name)]
    if missing:
        yield f"lacks {', '.join(missing)}"
    for name, value in entry.items():
        if name in TEXTS and not isinstance(value, str):
            yield f"{name}: expected text in quotes, found {value!r:.60}"
        elif isinstance(value, str) and not value.isprintable():
            yield f"{name}: expected one line of printable text, found {value!r:.60}"


def unknown_keys(entry: Mapping[str, Any], keys: Collection[str]) -> Iterator[str]:
    yield from (f"unknown key {name!r:.60}; known: {', '.join(keys)}" for name in entry if name not in keys)


def number_mistakes(entry: Mapping[str, Any], text: Mapping[str, str]) -> Iterator[str]:
    """The printed number, what it may hide, how close one must come, and the settings."""
    if "metric" in text and text["metric"] not in RULES:
        yield unknown("metric", text["metric"], RULES, "") + f"; known: {', '.join(RULES)}"
    elif "metric" in text and (text["metric"] == "relative_time") is not bool(text.get("relative_to")):
        yield "relative_to names the model in whose time a relative_time is printed: the two come together"
    if "printed" in text:
        try:
            if read_printed(text["printed"])[0] <= 0:
                yield f"printed: {text['printed']!r} is not above 0"
        except ValueError as error:
            yield f"printed: {error}"
        letter, metric = text["printed"][-1:], text.get("metric", "")
        if letter in UNITS_OF_LETTERS and metric in RULES and RULES[metric].unit not in UNITS_OF_LETTERS[letter]:
            yield f"printed: {text['printed']!r}: {metric} is printed in {RULES[metric].unit}, without {letter!r}"
    for name, most in (("tolerance", 1.0), ("half_unit", math.inf)):
        value = entry.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 < float(value) < most):
            yield f"{name}: expected a number above 0 and below {most:g}, found {value!r:.60}"
    if ("tolerance" in entry) is not bool(text.get("tolerance_reason")):
        yield "a tolerance of its own comes with its tolerance_reason"
    settings = entry.get("settings", {})
    if not isinstance(settings, Mapping):
        yield f"settings: expected a table, as {{cfg_scale = 1.5}}, found {settings!r:.60}"
    elif wrong := [name for name, value in settings.items() if not is_setting(name, value)]:
        yield f"settings: expected a finite number or one line of text for {', '.join(map(repr, wrong)):.60}"


def is_setting(name: str, value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int | str) and f"{name}{value!s:.1000}".isprintable()


def protocol_mistakes(text: Mapping[str, str], known: Known) -> Iterator[str]:
    """A protocol that nobody has, or that does not measure the metric."""
    name, metric = text.get("protocol"), text.get("metric", "")
    if name is None:
        return
    there = {**dict.fromkeys(NAMED_PROTOCOLS), **(known.protocols or {})}
    if name not in there:
        yield unknown("protocol", name, there, "protocols")
        return
    measured = there[name]
    if measured and metric in RULES and (RULES[metric].metric or metric) not in measured[1]:
        yield f"protocol {name} does not measure {metric}; it measures {', '.join(measured[1])}"


def small_mistakes(asked: Any, metric: str, known: Known) -> Iterator[str]:
    """What is wrong with a claim's `in_small`."""
    if not isinstance(asked, Mapping):
        yield f"in_small: expected a table with {', '.join(SMALL)}, found {asked!r:.60}"
        return
    if not asked:
        return
    yield from (f"in_small: {text}" for text in unknown_keys(asked, SMALL))
    if missing := [name for name, needed in SMALL.items() if needed and not asked.get(name)]:
        yield f"in_small: lacks {', '.join(missing)}"
    baselines = asked.get("baselines", [])
    models = [asked.get("model", ""), *(baselines if isinstance(baselines, list) else [None])]
    if not all(isinstance(name, str) for name in models):
        yield "in_small: expected the name of a model, and a list of names for baselines"
    elif known.models is not None:
        yield from (f"in_small: {unknown('model', n, known.models, 'models')}" for n in models if n not in known.models)
    for name in ("settings", "baseline_settings"):
        found = asked.get(name, {})
        if not isinstance(found, Mapping) or not all(is_setting(*each) for each in found.items()):
            yield f"in_small: {name}: expected a table, as {{num_steps = 4}}"
    protocol = asked.get("protocol", "")
    if protocol and known.protocols is not None:
        scale, metrics = known.protocols.get(protocol, ("", ())) if isinstance(protocol, str) else ("", ())
        if scale not in SMALL_SCALES:
            small = [name for name, (scale, _) in known.protocols.items() if scale in SMALL_SCALES]
            yield f"in_small: protocol {protocol!r:.60} is of no small scale; known: {', '.join(small)}"
        elif metric in RULES and (RULES[metric].metric or metric) not in metrics:
            yield f"in_small: protocol {protocol} does not measure {metric}; it measures {', '.join(metrics)}"


def unknown(kind: str, name: str, names: Collection[str], listing: str) -> str:
    """As "unknown model 'mar-x'; did you mean mar-b, mar-l or mar-h? `python -m bench list models` shows all"."""
    close = get_close_matches(name[:60], names, n=3)
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    shown = f"{'' if close else ';'} `python -m bench list {listing}` shows all" if listing else ""
    return f"unknown {kind} {name!r:.60}{meant}{shown}"
