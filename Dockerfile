# One image for the API, the dispatcher, MLflow and the Ray nodes; docker-compose.yml says which is which.
FROM python:3.11-slim-bookworm

# The CPU build: --build-arg TORCH="torch==2.13.0 --index-url URL-OF-PYTORCH'S-CPU-INDEX"
ARG TORCH=torch==2.13.0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/archsmith/bin:$PATH

RUN python3 -m venv /opt/archsmith && pip install -q $TORCH
COPY requirements-runtime.lock /tmp/requirements.lock
RUN pip install -q --no-deps --require-hashes -r /tmp/requirements.lock && rm /tmp/requirements.lock

COPY pyproject.toml README.md LICENSE /src/
COPY api /src/api
COPY archsmith /src/archsmith
COPY search /src/search
COPY space /src/space
COPY workers /src/workers
RUN pip install -q --no-deps --no-build-isolation /src && rm -rf /src
COPY docker /opt/archsmith/docker

# The code belongs to root and is read-only to the user that runs it; only the two state folders are its own.
RUN useradd --system --uid 10001 --home-dir /tmp --shell /usr/sbin/nologin archsmith \
    && install -d -m 0700 -o 10001 -g 10001 /state /mlflow
USER 10001
WORKDIR /state
# PYTHONSAFEPATH: no file in the state folder can take the place of a module of ours.
ENV HOME=/tmp \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ARCHSMITH_STATE=/state
CMD ["python", "-m", "api"]
