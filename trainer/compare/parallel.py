"""Compares candidates on other machines, through PyCaret's FugueBackend: on Dask, Ray or Spark.

Each worker needs the same packages. It runs PyCaret's `setup` again, compares one candidate at a time, and sends back
the same result as a comparison in this process: the score of each row in its test fold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pandas as pd

from trainer.compare.engines import Engine, check_engine
from trainer.compare.tried import Tried
from zelador.errors import InvalidInput, Unavailable

CONNECT_S = 30.0
PARTITION = "even"


def compare(engine: Engine, address: str | None, arguments: Mapping[str, Any], names: Sequence[str]) -> list[Tried]:
    """Compares the candidates `names` on a cluster; `arguments` are the arguments of a Comparison.

    Raises Unavailable if the cluster cannot be reached, or fails.
    """
    from pycaret.parallel.fugue_backend import FugueBackend, transform

    class Backend(FugueBackend):  # type: ignore[misc]
        """Sends our comparison to the workers in place of PyCaret's, and returns scores instead of a table."""

        def compare(self, arguments: Mapping[str, Any], names: Sequence[str]) -> list[Tried]:
            def remote(tasks: list[list[Any]]) -> list[list[Any]]:
                from trainer.compare.pycaret_compare import Comparison

                comparison = Comparison(**arguments)
                return [[cloudpickle.dumps(comparison.run(names[place]))] for (place,) in tasks]

            found = transform(
                pd.DataFrame({"place": range(len(names))}),
                remote,
                schema="output:binary",
                partition={"num": len(names), "algo": PARTITION},
                engine=self._engine,
                engine_conf=self._conf,
                as_fugue=True,
                as_local=True,
            ).as_array()
            return [cloudpickle.loads(output) for (output,) in found]

    try:
        with _connected(engine, address) as connected:
            found = Backend(connected).compare(arguments, names)
    except (InvalidInput, Unavailable):
        raise
    except Exception as error:  # noqa: BLE001 - a cluster raises anything
        text = " ".join(str(error).split())[:300]
        raise Unavailable(
            f"the {engine} cluster did not compare the classifiers: {type(error).__name__}: {text}"
        ) from None
    return sorted(found, key=lambda each: names.index(each.id))


@contextmanager
def _connected(engine: Engine, address: str | None) -> Iterator[Any]:
    """Yields the engine for Fugue. Without an address, Dask and Ray start workers on this machine."""
    check_engine(engine)
    if engine == "dask":
        import distributed

        make_client: Any = distributed.Client  # it is untyped
        make_cluster: Any = distributed.LocalCluster
        if address is not None:
            with make_client(address, timeout=CONNECT_S, set_as_default=True) as client:
                yield client
            return
        workers = max(1, os.cpu_count() or 1)
        with (
            make_cluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=40
            ) as cluster,
            make_client(cluster) as client,
        ):
            yield client
    elif engine == "ray":
        import ray  # type: ignore[import-not-found]

        ray.init(address, log_to_driver=False)
        try:
            yield "ray"
        finally:
            ray.shutdown()
    else:
        from pyspark.sql import SparkSession  # type: ignore[import-not-found]

        session = SparkSession.builder.master(address or "local[*]").getOrCreate()
        try:
            yield session
        finally:
            session.stop()
