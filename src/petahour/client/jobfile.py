"""Job files: TOML or YAML with the fields of a job request. Errors name the file, and the line where known."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from petahour.client.requests import JobRequest
from petahour.model.errors import TooLargeError, ValidationError

MAX_FILE_BYTES = 1024 * 1024
_TEXT = (
    *("tenant", "project", "name", "workdir", "tier", "checkpoint_dir", "preemption_signal", "array"),
    *("max_price", "quote"),
)
_WHOLE = ("priority", "retries")
_EITHER = ("walltime", "grace", "memory")
_LISTS = ("command", "types", "after_ok", "after_any")
_SWITCHES = ("meter_power",)
_GANG = ("nodes", "accelerators_per_node", "switch", "exclusive")
_FIELDS = frozenset({*_TEXT, *_WHOLE, *_EITHER, *_LISTS, *_SWITCHES, "gang", "environment", "env"})


def load_job_file(path: Path) -> JobRequest:
    """Read a job file; the suffix ``.toml``, ``.yaml`` or ``.yml`` says which form it has.

    Checks shape and types only: what the values may be is the control plane's to say. Raises ValidationError,
    or TooLargeError beyond 1 MiB.
    """
    return _File(path=path, text=read_text(path)).request()


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    path: Path
    text: str

    def request(self) -> JobRequest:
        values = self._parse()
        unknown = sorted(set(values) - _FIELDS)
        if unknown:
            raise self.refuse(unknown[0], None, "an unknown field", f"Fields are {', '.join(sorted(_FIELDS))}.")
        if "command" not in values:
            raise self.refuse("command", None, "a job has a command", 'Add command = ["python", "train.py"].')
        found: dict[str, object] = {name: self._text(name, values[name]) for name in _TEXT if name in values}
        found |= {name: self._whole(name, values[name]) for name in _WHOLE if name in values}
        found |= {name: self._either(name, values[name]) for name in _EITHER if name in values}
        found |= {name: self._list(name, values[name]) for name in _LISTS if name in values}
        found |= {name: self._yes_or_no(name, values[name]) for name in _SWITCHES if name in values}
        found |= self._gang(values.get("gang", {}))
        found["environment"] = self._environment(values)
        return JobRequest(**found)  # type: ignore[arg-type]  # Each value was checked against its field above.

    def refuse(self, field: str, value: object, rule: str, remedy: str) -> ValidationError:
        line = self._line(field)
        place = f"{self.path}: {field}" if line is None else f"{self.path}, line {line}: {field}"
        return ValidationError(field=place, value=value, rule=rule, remedy=remedy)

    def _line(self, field: str) -> int | None:
        """The line that sets the field, found by its name."""
        name = re.escape(field.rsplit(".", 1)[-1])
        wanted = re.compile(rf"""\s*(?:\[\s*)?["']?{name}["']?\s*[\]=:.]""")
        for number, line in enumerate(self.text.splitlines(), 1):
            if wanted.match(line):
                return number
        return None

    def _parse(self) -> Mapping[str, object]:
        suffix = self.path.suffix.lower()
        if suffix == ".toml":
            values = self._toml()
        elif suffix in (".yaml", ".yml"):
            values = self._yaml()
        else:
            raise ValidationError(
                field=str(self.path),
                value=suffix,
                rule="a job file ends in .toml, .yaml or .yml, a batch script in .sbatch, .slurm or .sh",
                remedy="Rename it to say which form it has.",
            )
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise ValidationError(
                field=str(self.path), value=None, rule="fields with names", remedy='Start with command = ["..."].'
            )
        return values

    def _toml(self) -> object:
        try:
            return tomllib.loads(self.text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise self._broken("TOML", str(error)) from None

    def _yaml(self) -> object:
        import yaml

        try:
            value: object = yaml.safe_load(self.text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
            raise self._broken("YAML", f"{error.problem or error.context}{where}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise self._broken("YAML", " ".join(str(error).split())) from None
        return value

    def _broken(self, form: str, why: str) -> ValidationError:
        return ValidationError(
            field=str(self.path), value=None, rule=f"valid {form}: {why}", remedy="Mend the file at that place."
        )

    def _text(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise self.refuse(name, value, "text", "Write the value in quotes.")
        return value

    def _whole(self, name: str, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refuse(name, value, "a whole number", "Write digits without quotes or a point.")
        return value

    def _either(self, name: str, value: object) -> str | int:
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        example = "8GiB" if name == "memory" else "1h30m"
        raise self.refuse(name, value, "text or a whole number", f'Write it like "{example}".')

    def _list(self, name: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.refuse(name, value, "a list of texts", f'Write it like {name} = ["...", "..."].')
        return tuple(value)

    def _gang(self, value: object) -> dict[str, object]:
        if not isinstance(value, dict):
            raise self.refuse("gang", value, "a table", "Write [gang] with nodes and accelerators_per_node.")
        for name in value:
            if name not in _GANG:
                raise self.refuse(f"gang.{name}", None, "an unknown field", f"Fields are {', '.join(_GANG)}.")
        readers = {"switch": self._text, "exclusive": self._yes_or_no}
        return {name: readers.get(name, self._whole)(f"gang.{name}", item) for name, item in value.items()}

    def _yes_or_no(self, name: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.refuse(name, value, "true or false", "Write it without quotes.")
        return value

    def _environment(self, values: Mapping[str, object]) -> dict[str, str]:
        if "env" in values and "environment" in values:
            raise self.refuse("env", None, "either env or environment, not both", "Join the two tables.")
        name = "env" if "env" in values else "environment"
        table = values.get(name, {})
        if not isinstance(table, dict) or not all(isinstance(key, str) for key in table):
            raise self.refuse(name, table, "a table of variables", f'Write [{name}] and NAME = "value" lines.')
        return {key: self._text(f"{name}.{key}", item) for key, item in table.items()}


def read_text(path: Path) -> str:
    """A file's text. Raises ValidationError, or TooLargeError beyond 1 MiB."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ValidationError(
            field=str(path),
            value=None,
            rule=f"a job file that can be read ({error.strerror})",
            remedy="Check the path.",
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise TooLargeError(
            field=str(path),
            value=None,
            rule=f"a job file of at most {MAX_FILE_BYTES} bytes",
            remedy="Put large inputs into files in the project directory.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValidationError(
            field=f"{path}, line {line}",
            value=None,
            rule="a job file in UTF-8",
            remedy="Save it again in that encoding.",
        ) from None
