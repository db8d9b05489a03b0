"""Publishes mail as the Python services do, with pika.

    publish.py URL QUEUE [--declare none|plain|durable|arguments] [--confirm] [--persistent] [--count N]
               [--rate PER_SECOND] [--to PATTERN] [--bodies FILE]

PATTERN holds {n}. Each letter that is answered (confirmed with --confirm, written without) is a line
"answered ADDRESS" on standard output, flushed at once; one that is not is a line "refused ADDRESS WHY". With
--bodies the bodies are taken from FILE as they are, one in base64 a line.
"""
import argparse
import base64
import json
import sys
import time

import pika

WORDS = {
    "none": None,
    # facts of the services: no flags at all, or durable with dead letters and a time to live
    "plain": {},
    "durable": {"durable": True},
    "arguments": {
        "durable": True,
        "arguments": {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "email_retry",
            "x-message-ttl": 86400000,
        },
    },
}


def body(address, n):
    return json.dumps(
        {
            "to_email": address,
            "subject": f"Письмо {n} — ёжик 🦔",
            "template_data": {"title": f"Title {n}", "message": f"Hello {n}!\n\nЭто письмо из pika."},
        },
        ensure_ascii=False,
    ).encode()


def connect(args):
    parameters = pika.URLParameters(args.url)
    parameters.connection_attempts = 1
    parameters.socket_timeout = 5
    parameters.stack_timeout = 10
    parameters.blocked_connection_timeout = 60
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    if args.confirm:
        channel.confirm_delivery()
    flags = WORDS[args.declare]
    if flags is not None:
        channel.queue_declare(args.queue, **flags)
    return connection, channel


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("queue")
    parser.add_argument("--declare", choices=sorted(WORDS), default="durable")
    parser.add_argument("--confirm", action="store_true")
    parser.add_argument("--persistent", action="store_true")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--to", default="pika-{n}@example.com")
    parser.add_argument("--bodies")
    parser.add_argument("--keep-trying", action="store_true")
    args = parser.parse_args()

    bodies = None
    if args.bodies:
        with open(args.bodies, "rb") as lines:
            bodies = [base64.b64decode(line) for line in lines]
        args.count = len(bodies)
    # Default properties, as most of the services publish, or what the careful ones set.
    properties = None
    if args.persistent:
        properties = pika.BasicProperties(delivery_mode=2, content_type="application/json")

    link = None
    began = time.monotonic()
    n = 0
    while n < args.count:
        address = args.to.replace("{n}", str(n))
        if args.rate:
            wait = began + n / args.rate - time.monotonic()
            if wait > 0:
                try:
                    # Heartbeats are answered meanwhile.
                    link[0].sleep(wait) if link else time.sleep(wait)
                except Exception:  # gone while nothing was under way: connect again
                    link = None
                    continue
        try:
            if link is None:
                link = connect(args)
            told = bodies[n] if bodies else body(address, n)
            link[1].basic_publish("", args.queue, told, properties, mandatory=args.confirm)
            print("answered", address, flush=True)
            n += 1
        except Exception as error:  # whatever it is, this letter was not answered
            why = f"{type(error).__name__}: {error}".replace("\n", " ")
            if not args.keep_trying:
                print("refused", address, why, flush=True)
                sys.exit(3)
            # Only a letter that may have left is given up: one that never found a connection waits for it.
            if link is not None:
                print("refused", address, why, flush=True)
                n += 1
            link = None
            time.sleep(0.2)
    if link:
        link[0].close()


main()
