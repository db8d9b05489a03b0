"""Takes messages from a queue and shows them, a JSON object a line: get.py URL QUEUE [COUNT]

Waits for them; acknowledges each.
"""
import hashlib
import json
import sys
import time

import pika

url, queue = sys.argv[1:3]
left = int(sys.argv[3]) if len(sys.argv) > 3 else 1
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
deadline = time.monotonic() + 45
while left and time.monotonic() < deadline:
    try:
        method, properties, body = channel.basic_get(queue)
    except pika.exceptions.ChannelClosedByBroker:
        # It is not there yet.
        method, channel = None, connection.channel()
    if method is None:
        connection.sleep(0.1)
        continue
    channel.basic_ack(method.delivery_tag)
    print(
        json.dumps(
            {
                "size": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
                "headers": properties.headers or {},
                "message_id": properties.message_id,
            },
            default=str,
        ),
        flush=True,
    )
    left -= 1
connection.close()
sys.exit(1 if left else 0)
