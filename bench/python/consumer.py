"""Delivers mail from the queue as the Python services do: pika, one letter at a time, smtplib.

    consumer.py URL QUEUE SMTP_PORT [--count N] [--declare none|durable]

Ends after N letters; each is a line "sent ADDRESS" on standard output. A connection to the mail server for each
letter, as the services have it. A letter that can't be delivered is a line "failed WHY", and is acknowledged.
"""
import argparse
import json
import smtplib
import sys
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pika


def letter(told):
    data = told["template_data"]
    message = MIMEMultipart("alternative")
    message["Subject"] = told.get("subject") or data.get("title", "")
    message["From"] = told.get("from_email") or "noreply@example.com"
    message["To"] = told["to_email"]
    message.attach(MIMEText(data["message"], "plain", "utf-8"))
    html = data.get("html_content") or f"<h1>{data.get('title', '')}</h1><p>{data['message']}</p>"
    message.attach(MIMEText(html, "html", "utf-8"))
    return message


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("queue")
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--declare", choices=["none", "durable"], default="durable")
    args = parser.parse_args()

    connection = pika.BlockingConnection(pika.URLParameters(args.url))
    channel = connection.channel()
    if args.declare == "durable":
        channel.queue_declare(args.queue, durable=True)
    channel.basic_qos(prefetch_count=1)
    done = 0

    def on_message(channel, method, properties, body):
        nonlocal done
        try:
            told = json.loads(body)
            with smtplib.SMTP("127.0.0.1", args.port) as server:
                message = letter(told)
                server.sendmail(message["From"], [told["to_email"]], message.as_string())
            print("sent", told["to_email"], flush=True)
        except Exception as error:  # as the services: logged, and gone
            print("failed", type(error).__name__, error, flush=True)
        channel.basic_ack(method.delivery_tag)
        done += 1
        if done >= args.count:
            channel.stop_consuming()

    print("ready", flush=True)
    channel.basic_consume(args.queue, on_message)
    channel.start_consuming()
    connection.close()
    sys.exit(0)


main()
