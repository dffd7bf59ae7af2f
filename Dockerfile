# The server alone: docker build -t model-commons . && docker run -p 8000:8000 -v registry-data:/data model-commons
# The administrator's token:            docker exec CONTAINER cat /data/admin-token
# A user:                               docker exec CONTAINER registry admin user add alice --data /data

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/registry
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY registry registry
COPY client client
COPY server server
RUN /opt/registry/bin/pip install --no-cache-dir --constraint constraints.txt ".[server]"

FROM python:3.11-slim
COPY --from=build /opt/registry /opt/registry
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin registry \
    && install --directory --owner=registry --mode=0700 /data
USER registry
ENV PATH=/opt/registry/bin:$PATH
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["registry", "serve", "--data", "/data", "--host", "0.0.0.0"]
