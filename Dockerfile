# One image for each service: docker build --target ingest (inference, archive, api, trainer) .
# What an image holds is locked in requirements/<service>.txt; PyCaret is in the trainer's alone.

FROM python:3.11-slim-bookworm AS base
ENV PATH=/opt/zelador/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/var/lib/zelador/cache \
    ZELADOR_DATASETS__CACHE=/var/lib/zelador/cache/datasets \
    ZELADOR_REGISTRY__URL=/var/lib/zelador/registry \
    ZELADOR_ARCHIVE__URL=/var/lib/zelador/archive
# The folders are the user's in the image, because a fresh named volume takes its owner from there.
RUN groupadd --gid 10001 zelador \
    && useradd --uid 10001 --gid zelador --home-dir /var/lib/zelador --no-create-home --shell /usr/sbin/nologin zelador \
    && cd /var/lib \
    && install -d -o zelador -g zelador zelador zelador/registry zelador/archive zelador/keys zelador/cache
WORKDIR /var/lib/zelador
STOPSIGNAL SIGTERM
ENTRYPOINT ["zelador"]


# uv and the build backend, in a folder that no image gets.
FROM base AS tools
ENV PATH=/build/tools/bin:$PATH \
    VIRTUAL_ENV=/opt/zelador \
    UV_NO_CACHE=1 \
    UV_COMPILE_BYTECODE=1
WORKDIR /build
COPY requirements/uv.txt requirements/build.txt requirements/slim.sh requirements/
RUN python -m venv tools \
    && tools/bin/pip install --quiet --no-cache-dir --require-hashes -r requirements/uv.txt -r requirements/build.txt \
    && python -m venv --without-pip /opt/zelador

# The project alone: a change of code rebuilds this small layer and none of the packages.
FROM tools AS project
COPY pyproject.toml README.md LICENSE ./
COPY zelador zelador
COPY registry registry
COPY archive archive
COPY operations operations
COPY admin admin
COPY ingest ingest
COPY inference inference
COPY trainer trainer
COPY command command
RUN python -m hatchling build --target wheel --directory dist \
    && uv pip install --quiet --offline --no-deps dist/*.whl


FROM tools AS ingest-packages
COPY requirements/ingest.txt requirements/
RUN uv pip sync --quiet --require-hashes requirements/ingest.txt

FROM base AS ingest
COPY --from=ingest-packages /opt/zelador /opt/zelador
COPY --from=project /opt/zelador /opt/zelador
USER 10001:10001
ENV ZELADOR_METRICS__HOST=0.0.0.0 \
    ZELADOR_METRICS__PORT=9464
# Not well: something waits and nothing is finished (docs/reliability.md). Each look costs a third of a second of CPU.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["zelador", "health"]
CMD ["ingest"]


# LightGBM needs libgomp, which the slim image has not.
FROM base AS learning
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libgomp1 >/dev/null \
    && rm -rf /var/lib/apt/lists/*


FROM tools AS inference-packages
COPY requirements/inference.txt requirements/
RUN uv pip sync --quiet --require-hashes requirements/inference.txt \
    && sh requirements/slim.sh "$VIRTUAL_ENV"

FROM learning AS inference
COPY --from=inference-packages /opt/zelador /opt/zelador
COPY --from=project /opt/zelador /opt/zelador
# A container's name is unique, so replicas need no name given.
ENV ZELADOR_INFERENCE__INSTANCE=inference-{hostname} \
    ZELADOR_METRICS__HOST=0.0.0.0 \
    ZELADOR_METRICS__PORT=9464
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["zelador", "health"]
USER 10001:10001
CMD ["infer"]


FROM inference-packages AS archive-packages
COPY requirements/archive.txt requirements/
RUN uv pip sync --quiet --require-hashes requirements/archive.txt \
    && sh requirements/slim.sh "$VIRTUAL_ENV"

FROM learning AS archive
COPY --from=archive-packages /opt/zelador /opt/zelador
COPY --from=project /opt/zelador /opt/zelador
ENV ZELADOR_METRICS__HOST=0.0.0.0 \
    ZELADOR_METRICS__PORT=9464
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["zelador", "health"]
USER 10001:10001
CMD ["archive"]


FROM inference-packages AS api-packages
COPY requirements/api.txt requirements/
RUN uv pip sync --quiet --require-hashes requirements/api.txt \
    && sh requirements/slim.sh "$VIRTUAL_ENV"

FROM learning AS api
COPY --from=api-packages /opt/zelador /opt/zelador
COPY --from=project /opt/zelador /opt/zelador
ENV ZELADOR_API__HOST=0.0.0.0 \
    ZELADOR_API__PORT=8000 \
    ZELADOR_API__KEYS_FILE=/var/lib/zelador/keys/keys.json
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "\
from http.client import HTTPConnection; \
api = HTTPConnection('127.0.0.1', 8000, timeout=4); \
api.request('GET', '/healthz'); \
raise SystemExit(api.getresponse().status != 200)"]
USER 10001:10001
CMD ["api"]


FROM inference-packages AS trainer-packages
COPY requirements/trainer.txt requirements/
RUN uv pip sync --quiet --require-hashes requirements/trainer.txt \
    && sh requirements/slim.sh "$VIRTUAL_ENV"

FROM learning AS trainer
COPY --from=trainer-packages /opt/zelador /opt/zelador
COPY --from=project /opt/zelador /opt/zelador
ENV ZELADOR_METRICS__HOST=0.0.0.0 \
    ZELADOR_METRICS__PORT=9464
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["zelador", "health"]
USER 10001:10001
CMD ["trainer"]
