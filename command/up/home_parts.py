"""Makes the parts of a home before anything starts: ports, the servers' commands, settings, gate and passwords."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from command.up.admission import Admission
from command.up.client_ids import ReservedIds
from command.up.device_access import DeviceAccess
from command.up.gate import Gate
from command.up.home import Home, archive_memory, home_settings, plant_settings
from command.up.listen import Listen, listen_port
from command.up.own_servers import Own
from command.up.ports import HOST, choose, unusable
from command.up.rights import templates
from command.up.servers import Server, broker_server, redis_server
from command.up.unread_record import UnreadRecord
from registry.card.place import DEVICE
from zelador.buffer.budget import maxmemory
from zelador.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a home. `broker` and `redis` are None if the user runs them."""

    ports: dict[str, int]
    broker: Server | None
    redis: Server | None
    settings: Settings  # of this home, for all its processes
    unread: UnreadRecord
    gate: Gate
    access: DeviceAccess | None  # None if devices need no passwords

    @property
    def remembers(self) -> bool:
        """True if sessions survive a restart of the broker."""
        return self.broker is None or self.broker.remembers


def make_parts(
    home: Home,
    settings: Settings,
    requested: Mapping[str, int | None],
    own: Own,
    listen: Listen | None,
    tls: ssl.SSLContext | None,
) -> Parts:
    """Chooses the ports, binds the devices' port, and writes what the servers read.

    `requested` are ports by name. Raises Conflict, InvalidInput, Corrupt or Unavailable.
    """
    ports, memory = _ports(home, settings, dict(requested), own, listen)
    broker = redis = None
    if own.broker is None:
        doors = ports["broker5"], ports["broker4"]
        broker = broker_server(home.path, *doors, settings.embedded.broker, secured=listen is not None)
    if own.redis is None:
        redis = redis_server(
            home.redis,
            ports["redis"],
            settings.embedded.redis,
            settings.redis.durability,
            maxmemory(settings),
            home.redis_config(),
        )
    if listen is not None:
        home.service_password()  # creates it for the settings below
    settings = home_settings(settings, home.path, memory, broker is None or broker.remembers)
    unread = UnreadRecord(settings)
    try:
        gate = Gate(
            ports["mqtt"],
            ports["broker5"],
            ports["broker4"],
            reserved=ReservedIds(settings),
            fragile=broker is not None and broker.name == "iotcore",
            hosts=listen.hosts if listen else (HOST,),
            tls=tls,
            unread=unread.topics if broker is not None else None,
        )
    except OSError as error:
        raise unusable("mqtt", ports["mqtt"], error) from None
    access = None
    if listen is not None:
        rules = templates(settings.topics, list(settings.reading_topics.values()))
        access = DeviceAccess(home, rules, listen, tls)
        gate.admission = Admission(rules, access.records, gate.complain)
    return Parts(ports, broker, redis, settings, unread, gate, access)


def _ports(
    home: Home, settings: Settings, requested: dict[str, int | None], own: Own, listen: Listen | None
) -> tuple[dict[str, int], dict[str, object]]:
    """Chooses the ports, and writes home.json. Returns the ports by name, and what home.json has."""
    memory = home.read("home.json")
    options: dict[str, str] = {}
    if requested.get("api") is None and "port" in settings.api.model_fields_set and settings.api.port:
        requested["api"], options["api"] = settings.api.port, "ZELADOR_API__PORT"
    fixed = {} if listen is None else {"mqtt": listen_port(listen, requested.pop("mqtt", None), memory)}
    names = [name for name in ("mqtt", "redis", "api", "broker5", "broker4") if name not in fixed]
    ports = {**choose(names, requested, memory, options, fixed.values()), **fixed}
    memory = {**memory, **ports, "own": own.remembered(settings), "settings": plant_settings(settings)}
    memory["archive"] = archive_memory(settings)
    memory.update({"listen": listen and listen.address, "device_url": None})
    if listen is not None:
        memory["listen_port"] = ports["mqtt"]
        memory["device_url"] = listen.device_url(ports["mqtt"]).replace("://", f"://{DEVICE}@")
    home.write("home.json", memory)
    return ports, memory
