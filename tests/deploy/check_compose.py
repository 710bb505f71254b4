"""Our own rules for docker-compose.yml, which the compose binary does not know. Reads its resolved JSON from standard input."""

import json
import pathlib
import re
import sys

ROLES = {"exchange", "seal", "gateway", "projections", "bulk", "api"}
ONE_SHOT = {"setup", "roles", "read-models"}
# Who each part is in the read database; the others have nothing to do there.
DATABASE_USERS = {"read-models": "squareoff", "projections": "squareoff_projections", "api": "squareoff_api"}
LOOPBACK = "127.0.0.1"
SETTINGS = "src/config/table.rs"
# Their images start as root and give it up themselves.
ROOT_AT_START = {"postgres", "kurrentdb"}


def known_settings():
    """Names of the environment that the binary takes: it refuses to start with another."""
    source = pathlib.Path(SETTINGS).read_text()
    tables = re.findall(r"SETTINGS: &\[.*?= &\[(.*?)\n\];", source, re.S)
    keys = [key for table in tables for key in re.findall(r'^\s*\(\s*"(\w+)",', table, re.M)]
    plain = {"database_url", "event_store"}
    return {key.upper() if key in plain else f"SQUAREOFF_{key.upper()}" for key in keys}


def faults(services):
    settings = known_settings()
    if not settings:
        yield f"{SETTINGS}: no settings were found there"
    for missing in ({"postgres", "kurrentdb"} | ROLES | ONE_SHOT) - services.keys():
        yield f"{missing}: is missing"
    for name, service in services.items():
        if name not in ONE_SHOT and "test" not in service.get("healthcheck", {}):
            yield f"{name}: has no health check"
        if service.get("restart") != ("no" if name in ONE_SHOT else "unless-stopped"):
            yield f"{name}: has another restart policy than expected"
        if name not in ROOT_AT_START and service.get("user", "0").startswith("0"):
            yield f"{name}: runs as root"
        for port in service.get("ports", []):
            if port.get("host_ip") != LOOPBACK:
                yield f"{name}: port {port['target']} is published beyond {LOOPBACK}"
        if ":" not in service["image"] or service["image"].endswith(":latest"):
            yield f"{name}: its image has no fixed version"
        for other, dependency in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            if dependency["condition"] != wanted:
                yield f"{name}: must wait for {other} with {wanted}"
        if service["image"].startswith("squareoff:"):
            environment = service.get("environment") or {}
            for variable in environment.keys() - settings:
                yield f"{name}: {variable} is no setting"
            url = environment.get("DATABASE_URL")
            if DATABASE_USERS.get(name) != (url and re.match(r"postgres://(\w+):", url)[1]):
                yield f"{name}: is not {DATABASE_USERS.get(name, 'nobody')} in the read database"
            if "data" not in {volume.get("source") for volume in service.get("volumes", [])}:
                yield f"{name}: does not share the volume data"
    if services.get("api", {}).get("environment", {}).get("SQUAREOFF_API_LISTEN", "").split(":")[0] != LOOPBACK:
        yield "api: must listen on loopback until it has a log-in"
    if "profiles" not in services.get("kurrentdb", {}):
        yield "kurrentdb: must start only with its profile"


found = list(faults(json.load(sys.stdin)["services"]))
for fault in found:
    print(f"docker-compose.yml: {fault}", file=sys.stderr)
sys.exit(1 if found else 0)
