# The service: REST, pages, conductor, migrations. No torch: it never runs anybody's code.
FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/sevenstep
ENV PATH=/opt/sevenstep/bin:$PATH
WORKDIR /build
# The dependencies first: they change seldom, and are a layer of their own then.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir -p recipes service worker migrations docs/findings \
    && for package in recipes service worker migrations; do touch "$package/__init__.py"; done \
    && pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[service]'
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
ENV SEVENSTEP_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/sevenstep
EXPOSE 8080
ENTRYPOINT ["sevenstep"]
CMD ["serve", "--no-worker", "--host", "0.0.0.0"]
