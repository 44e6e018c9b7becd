"""Before the first job of a sweep: is there a folder for each data set that it goes through?"""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from spotter.cli.compose import compose_config, split_flags
from spotter.cli.jobs import own_configs
from spotter.cli.mistakes import CONFIG_ERRORS
from spotter.data.root import check_root
from spotter.errors import FAILURE, UserError
from spotter.io.exchange.annotations import root_of_labels


class SweepRoots(Callback):
    """End a sweep before its first job where a data set has no folder, in place of failing job after job."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Look for the folders, and name all data sets that have none.

        Ends the process; any other exception Hydra would only warn of.
        """
        try:
            missing = missing_roots(config)
        except CONFIG_ERRORS:
            return  # the job that has it says so
        if missing:
            sys.stderr.write("".join(f"error: {message}\n" for message in missing))
            raise SystemExit(FAILURE)


def missing_roots(config: DictConfig) -> list[str]:
    """Return what is wrong with the folder of each data set of a sweep that has none."""
    flags, searched = split_flags(own_configs(config.hydra))
    listed = _listed_values(config)
    others = [*searched, *(f"{key}={values[0]}" for key, values in listed.items() if key != "data")]
    found = []
    for name in listed.get("data", [""]):
        cfg = compose_config("train", flags, [*others, f"data={name}"] if name else others)
        try:
            check_data_root(cfg.data)
        except UserError as error:
            found.append(f"data={cfg.hydra.runtime.choices.data}: {error}")
    return found


def check_data_root(data: DictConfig) -> None:
    """Raise UserError where the folder of a data set is not there, and nothing of spotter would make or fetch it."""
    ours = str(data.get("_target_")).startswith("spotter.")
    if ours and "demo" not in data and not data.get("remote"):
        check_root(root_of_labels(data.labels, data.root) if data.get("labels") else data.root)


def _listed_values(config: DictConfig) -> dict[str, list[str]]:
    """Return the values of each key that a sweep is given; what a sweeper draws is left out."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    values = {}
    for override in OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task]):
        if not override.is_sweep_override():
            values[override.get_key_element()] = [override.get_value_element_as_str()]
        elif override.is_discrete_sweep():
            values[override.get_key_element()] = list(override.sweep_string_iterator())
    return values
