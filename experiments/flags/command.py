"""The command line: flags in, one line out when they are wrong."""

import logging
import os
import re
import signal
import sys
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from absl import flags

from dlgm_jax.errors import BadInput, NonFinite, Stopped, shown
from dlgm_jax.models import registry
from dlgm_jax.sizes import Sized
from experiments.flags.config import PRESETS, Config, all_settings, own_of_runs
from experiments.workdir.pauses import REQUEUE, SIGNALS
from experiments.workdir.streams import lasting

HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}
# flags that may be given several times, and what then stands between their values
LISTS = {"similarity": ",", "analogies": ",", "query": ";", "context": ";", "document": ";", "keep": ","}
# settings that only Adam reads, and the refiners that are asked for them
ADAMS = {
    "psi_learning_rate": ("refiner",),
    "eval_psi_learning_rate": ("eval_refiner",),
    "psi_beta1": ("refiner", "eval_refiner"),
}


@dataclass(frozen=True)
class Command:
    """A parsed command line: what was given, by name, and the flags of the command itself."""

    given: dict[str, Any]
    own: dict[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        """A flag of the command that is a name or a folder."""
        value = self.own[name] if self.own[name] is not None else default
        if not (value or "").strip():
            raise BadInput(f"--{name}: expected a folder, found {'nothing' if value is None else repr(value)}")
        return str(value)

    def numbers(self, name: str) -> list[int]:
        """A flag of the command that is whole numbers from 1, as 500,1000."""
        parts = str(self.own[name]).split(",") if self.own[name] else []
        if not all(len(part) < 10 and part.strip().isdecimal() and 1 <= int(part) <= 10_000_000 for part in parts):
            raise BadInput(f"--{name}: expected whole numbers from 1 as 500,1000, found {shown(self.own[name])}")
        return [int(part) for part in parts]

    def number(self, name: str) -> int:
        """A flag of the command that is one whole number from 1."""
        value = self.own[name]
        if not 1 <= value <= 10_000_000:
            raise BadInput(f"--{name}: expected a whole number from 1, found {value}")
        return value

    def share(self, name: str) -> float:
        """A flag of the command that is a share of something, neither nothing nor all of it."""
        value = self.own[name]
        if not 0 < value < 1:
            raise BadInput(f"--{name}: expected a share between 0 and 1, found {value:g}")
        return value

    @property
    def stated(self) -> dict[str, Any]:
        """The settings of the preset, and the model's own ones, with what was given on top. Raises BadInput."""
        preset = self.own.get("preset", "default")
        if preset not in PRESETS:
            raise BadInput(f"--preset: expected one of {', '.join(PRESETS)}, found {preset!r}")
        model = self.given.get("model", registry.DEFAULT)
        read = {name: value for name, value in PRESETS[preset].items() if not registry.unread(model, name)}
        return read | own_of_runs(model) | self.given

    def config(self, unset: dict[str, Any] | None = None) -> Config:
        """What is stated, and of the other settings `unset`, or else the defaults. Raises BadInput."""
        for name in self.given:
            if found := registry.unread(self.given.get("model", registry.DEFAULT), name):
                raise BadInput(f"--{name}: {found}")
        config = Config.of(**((unset or {}) | self.stated))
        self.check_adams(config)
        return config

    def check_adams(self, config: Config, asked: tuple[str, ...] = ("refiner", "eval_refiner")) -> None:
        """Raises BadInput for a setting of Adam that was given and that none of the refiners `asked` reads."""
        for name in ADAMS.keys() & self.given.keys():
            flags_of = [flag for flag in ADAMS[name] if flag in asked]
            refiners = [getattr(config, flag) for flag in flags_of]
            if "adam" not in refiners:
                raise BadInput(f"--{name}: expected to go with --{flags_of[0]}=adam, found {refiners[0]}")


def parse(
    argv: list[str], *, about: str, own: dict[str, tuple[Any, str]], settings: list[str] | None = None
) -> Command:
    """Reads a command line. `own` are the command's own flags (default, help); `settings` the fields of Config
    that it takes (all when None). Prints the help and exits 0 for --help. Raises BadInput, also for a flag that is
    given twice and is none of LISTS, whose values are joined.
    """
    chosen = [item for item in all_settings() if settings is None or item.name in settings]
    values = flags.FlagValues()
    for name, (default, help) in own.items():
        kinds = {bool: flags.DEFINE_boolean, int: flags.DEFINE_integer, float: flags.DEFINE_float}
        define: Any = flags.DEFINE_multi_string if name in LISTS else kinds.get(type(default), flags.DEFINE_string)
        define(name, default, help, flag_values=values)
    for item in chosen:
        define: Any = {int: flags.DEFINE_integer, int | None: flags.DEFINE_integer, float: flags.DEFINE_float}.get(
            item.type, flags.DEFINE_string
        )
        define(item.name, None, item.metadata["help"], flag_values=values)
    if HELP.intersection(argv[1:]):
        print(_help(about, own, chosen, _model_of(argv)))
        sys.exit(0)
    try:
        for argument in argv[1:]:
            if argument.lstrip("-").startswith(("undefok", "flagfile")):
                raise flags.UnrecognizedFlagError(argument)
        rest = values(argv)[1:]
    except flags.Error as error:
        raise BadInput(" ".join(str(error).split())) from error
    if rest:
        raise BadInput(f"expected flags as --name=value, found {rest[0]!r}")
    for name in [*own, *(item.name for item in chosen)]:
        if name not in LISTS and values[name].present > 1:
            raise BadInput(f"--{name}: expected once, found {values[name].present} times")
    given = {item.name: _typed(item, values[item.name].value) for item in chosen if values[item.name].present}
    return Command(given, {name: _own(name, values[name]) for name in own})


def run_main(main: Callable[[list[str]], None]) -> None:
    """Runs a command; a user's mistake is one line on stderr and exit code 2, a bound that is not finite 3."""
    with lasting():
        before = signal.signal(signal.SIGTERM, _terminate)
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs what is said here in one line
        sys.unraisablehook = _unraisable
        try:
            try:
                main(sys.argv)
            except SystemExit:  # of --help
                sys.stdout.flush()
                raise
            sys.stdout.flush()
        except BadInput as error:
            _stop(str(error), 2)
        except OSError as error:
            _stop(f"{error.filename or 'a file'}: {error.strerror or error}", 2)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" in str(error):
                _stop("the device has too little memory; lower --batch_size, --K or the widths", 2)
            if jax.process_count() > 1:
                _stop(f"another process is gone; the same commands go on from the last checkpoint ({error})", REQUEUE)
            raise
        except NonFinite as error:
            _stop(f"{error}; a lower learning rate may help (in another --workdir)", 3)
        except Stopped as stopped:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            _say(f"stopped {stopped}; the same command goes on from there")
            sys.exit(REQUEUE)
        except Terminated:
            _stop("stopped; run the same command again", REQUEUE)
        except KeyboardInterrupt:
            _stop("stopped by the keyboard; run the same command again", 130)
        except Exception:
            if found := no_backend():
                _stop(found, 2)
            if not jax.distributed.is_initialized():
                raise
            traceback.print_exc()
            os._exit(1)  # as in `_stop`
        finally:
            signal.signal(signal.SIGTERM, before)


def no_backend() -> str:
    """Says which platforms JAX cannot start that it was asked for, and which it can; empty where all is well."""
    try:
        jax.devices()
        return ""
    except (RuntimeError, AssertionError):  # the latter for a platform that JAX knows and this installation lacks
        asked = os.environ.get("JAX_PLATFORMS", "")
    jax.config.update("jax_platforms", None)
    there = ", ".join(sorted({device.platform for device in jax.devices()}))
    return f"JAX_PLATFORMS: expected a platform that starts here ({there}), found {asked!r}"


class Terminated(BaseException):
    """SIGTERM, where nobody listens for it: what was begun is cleared away."""


def _terminate(*_) -> None:
    raise Terminated


def _unraisable(what: Any) -> None:
    """Hides what tensorstore's threads say after a checkpoint could not be written, which is an error of its own."""
    if str(what.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(what)


def _stop(message: str, code: int) -> None:
    _say(message)
    if jax.distributed.is_initialized():
        os._exit(code)  # the others may wait for this process, and it would wait for them
    sys.exit(code)


def _say(message: str) -> None:
    print("error:", " ".join(message.split()), file=sys.stderr, flush=True)


def _own(name: str, flag) -> Any:
    """The value of a flag of the command, as one text where it was given several times."""
    return LISTS[name].join(flag.value) if name in LISTS and flag.value is not None else flag.value


def _typed(item, value):
    if item.name == "model":
        return int(value) if value.isdecimal() and len(value) < 10 else value
    if "tuple" not in str(item.type):
        return value
    widths = value.split(",") if value.strip() else []
    if not all(width.strip().isdecimal() and len(width) < 10 for width in widths):
        raise BadInput(f"--{item.name}: expected widths as 400,400 or nothing, found {shown(value)}")
    return tuple(map(int, widths))


def _model_of(argv: list[str]) -> str | None:
    """The model whose flags --help is to show. Raises BadInput."""
    given = re.findall(r"^--?model[=\n](.*)$", "\n".join(argv[1:]), re.MULTILINE)
    if given:
        registry.entry(given[-1])
    return given[-1] if given else None


def _default(item, model: str | None) -> str:
    of_model = registry.entry(model).defaults if model else {}
    if item.name in Sized._fields and item.name not in of_model:
        return "by the size of the corpus"
    value = of_model.get(item.name, item.default)
    return "" if value is None else ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _help(about: str, own: dict[str, tuple[Any, str]], chosen: list, model: str | None) -> str:
    chosen = [item for item in chosen if not (model and registry.unread(model, item.name))]
    rows = [(name, help, "" if default is None else str(default)) for name, (default, help) in own.items()]
    rows += [(item.name, item.metadata["help"], _default(item, model)) for item in chosen]
    lines = [about, "", "Flags, as --name=value:"]
    for name, help, default in rows:
        text = f"{help} (default {default})" if default else help
        wrapped = [f"{'':28}{line}" for line in textwrap.wrap(text, 74)]
        head = f"  --{name}"
        # a long name has a line of its own
        lines += [head, *wrapped] if len(head) > 26 else [head + wrapped[0].removeprefix(" " * len(head)), *wrapped[1:]]
    if any(item.name == "model" for item in chosen):
        lines += ["", "Models, whose own flags --help --model=NAME shows:"]
        lines += [f"  {name:<8}{one.about}" for name, one in registry.MODELS.items()]
    if "preset" in own:
        paper = " ".join(f"--{name}={value}" for name, value in PRESETS["paper"].items())
        lines += ["", "--preset=paper means (flags that are given win)", *textwrap.wrap(paper, 100)]
    return "\n".join(lines)
