"""Whether the daemon of this container is well: exit status 0, or 1 with what it says.

The address is that of its setting `metrics`, in HEALTH: by default 127.0.0.1:9464.
"""

import os
import sys
import urllib.error
import urllib.request

ADDRESS = os.environ.get("HEALTH", "127.0.0.1:9464")
ANSWER_S_MAX = 4


def main() -> None:
    # Never by way of a proxy: it is this container's own loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://{ADDRESS}/healthz", timeout=ANSWER_S_MAX).close()
    except urllib.error.HTTPError as error:
        sys.exit(f"not well: {error.code} {error.read(500).decode(errors='replace').strip()}")
    except OSError as error:
        sys.exit(f"no answer at {ADDRESS}: {error}")


if __name__ == "__main__":
    main()
