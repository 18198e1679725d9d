"""The embedded broker's process: `python -m command.up.broker CONFIG`."""

from __future__ import annotations

import logging
import sys

from iotcore import IotCoreBroker


def main() -> None:
    logging.basicConfig(level="ERROR")
    # rumqttd wraps its routing in error spans, so its log would have one line per packet.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    IotCoreBroker(config_path=sys.argv[1]).run_forever()


if __name__ == "__main__":
    main()
