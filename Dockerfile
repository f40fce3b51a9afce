# Every image of docker-compose.yml, one stage each: docker build --target NAME .

FROM python:3.11-slim-bookworm AS python
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 \
    HOME=/tmp
# A new named volume takes the owner of the folder that it covers, so these exist beforehand.
RUN groupadd --gid 10001 overread \
    && useradd --uid 10001 --gid overread --no-create-home --shell /usr/sbin/nologin overread \
    && install --directory --owner overread --group overread \
        /var/lib/overread /var/lib/label-studio /radiographs


FROM python AS builder
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build


FROM builder AS label-studio-environment
COPY constraints-label-studio.txt ./
RUN uv venv /opt/label-studio \
    && uv pip install --python /opt/label-studio \
        --constraints constraints-label-studio.txt label-studio


FROM builder AS dependencies
COPY pyproject.toml constraints.txt ./
RUN uv venv /opt/overread \
    && uv pip install --python /opt/overread --constraints constraints.txt \
        --requirements pyproject.toml


FROM dependencies AS backend-environment
COPY README.md LICENSE constraints-label-studio.txt ./
COPY annotation_configs annotation_configs
COPY migrations migrations
COPY backend backend
COPY ml_backend ml_backend
RUN uv pip install --python /opt/overread --no-deps .


FROM dependencies AS ml-backend-environment
RUN uv pip install --python /opt/overread --constraints constraints.txt \
        --requirements pyproject.toml --extra ml
COPY README.md LICENSE constraints-label-studio.txt ./
COPY annotation_configs annotation_configs
COPY migrations migrations
COPY backend backend
COPY ml_backend ml_backend
RUN uv pip install --python /opt/overread --no-deps .


FROM python AS label-studio
COPY --from=label-studio-environment /opt/label-studio /opt/label-studio
# The wall between readers runs inside Label Studio's own process.
COPY backend/label_studio/inside /opt/label-studio-wall
# The server and `overread readers add` both start Label Studio through this. The database is
# named here, because provisioning hands none of its own environment on.
COPY --chmod=755 <<'SCRIPT' /usr/local/bin/label-studio-on-postgres
#!/bin/sh
set -eu
export DJANGO_DB=default
export POSTGRE_HOST=postgres POSTGRE_PORT=5432
export POSTGRE_NAME=label_studio POSTGRE_USER=label_studio
POSTGRE_PASSWORD="$(cat /run/secrets/label_studio_database_password)"
export POSTGRE_PASSWORD
exec /opt/label-studio/bin/label-studio "$@"
SCRIPT

USER 10001:10001
WORKDIR /var/lib/label-studio
EXPOSE 8080
ENTRYPOINT ["label-studio-on-postgres"]
CMD ["start", "--no-browser", "--internal-host", "0.0.0.0", "--port", "8080"]


FROM python AS backend
COPY --from=backend-environment /opt/overread /opt/overread
ENV PATH=/opt/overread/bin:$PATH
USER 10001:10001
WORKDIR /var/lib/overread
EXPOSE 8090
ENTRYPOINT ["overread"]
CMD ["serve"]


# The backend with Label Studio's own shell beside it: `docker compose run --rm provision ...`
FROM backend AS provision
COPY --from=label-studio /opt/label-studio /opt/label-studio
COPY --from=label-studio /usr/local/bin/label-studio-on-postgres /usr/local/bin/
CMD ["doctor"]


FROM python AS ml-backend
COPY --from=ml-backend-environment /opt/overread /opt/overread
ENV PATH=/opt/overread/bin:$PATH \
    MPLCONFIGDIR=/tmp/matplotlib
USER 10001:10001
WORKDIR /var/lib/overread
EXPOSE 9090
ENTRYPOINT ["overread"]
CMD ["serve-ml"]


FROM postgres:16.14-bookworm AS postgres
# Runs once, when the volume is empty: Label Studio gets a database and a role of its own, which
# cannot reach the store.
COPY --chmod=755 <<'SCRIPT' /docker-entrypoint-initdb.d/label-studio.sh
#!/bin/bash
set -euo pipefail
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --set=store="$POSTGRES_DB" \
    --set=password="$(cat /run/secrets/label_studio_database_password)" <<'SQL'
CREATE ROLE label_studio LOGIN PASSWORD :'password';
CREATE DATABASE label_studio OWNER label_studio;
REVOKE CONNECT ON DATABASE :"store" FROM PUBLIC;
SQL
SCRIPT

USER 999:999
