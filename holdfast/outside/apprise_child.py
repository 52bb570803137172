"""Run as a program for one message: reads it as JSON, hands it to Apprise once, and ends with what Apprise said."""

import json
import signal
import sys

TRUE, FALSE, UNUSABLE, MISSING = 0, 10, 11, 12
BEGUN = b"begun"
GRACE = 5  # seconds after its limit: it ends itself when whoever started it is no longer there to kill it


def main() -> int:
    task = json.load(sys.stdin)
    signal.alarm(task["limit"] + GRACE)
    try:
        from apprise import Apprise, AppriseAsset
    except ImportError:
        return MISSING
    service = Apprise(asset=AppriseAsset(async_mode=False, plugin_paths=[]))
    if not service.add(task["url"]):
        return UNUSABLE
    for one in service:
        one.retry = 0  # the outbox repeats, and nobody beside it
        one.socket_read_timeout = task["limit"] + GRACE  # its own "false" after 4 s would hide that the message may have left
    sys.stdout.buffer.write(BEGUN)
    sys.stdout.buffer.flush()
    return TRUE if service.notify(body=task["body"], title=task["title"], body_format="text", interpret_escapes=False) else FALSE


if __name__ == "__main__":
    sys.exit(main())
