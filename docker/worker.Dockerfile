# A worker: torch and the training loop. No database driver, no inbound port.
FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/sevenstep
ENV PATH=/opt/sevenstep/bin:$PATH
WORKDIR /build
# Another package index for torch: one of CPU builds makes an image of a tenth the size.
ARG TORCH_INDEX_URL=""
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir -p recipes service worker migrations docs/findings \
    && for package in recipes service worker migrations; do touch "$package/__init__.py"; done \
    && pip install --no-cache-dir --disable-pip-version-check -c constraints.txt \
       ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} '.[worker]'
COPY recipes recipes
COPY service service
COPY worker worker
COPY migrations migrations
COPY docs/findings docs/findings
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --force-reinstall .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 sevenstep \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/sevenstep \
       --shell /usr/sbin/nologin sevenstep \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/sevenstep
COPY --from=build /opt/sevenstep /opt/sevenstep
ENV PATH=/opt/sevenstep/bin:$PATH
ENV PYTHONDONTWRITEBYTECODE=1
ENV PYTHONSAFEPATH=1
ENV SEVENSTEP_DATA_DIR=/var/lib/sevenstep
ENV SEVENSTEP_CACHE_DIR=/var/lib/sevenstep/cache
ENV SEVENSTEP_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/sevenstep
ENTRYPOINT ["sevenstep"]
CMD ["worker"]
