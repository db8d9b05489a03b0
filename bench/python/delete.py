"""Deletes queues: delete.py URL QUEUE..."""
import sys

import pika

connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
for queue in sys.argv[2:]:
    connection.channel().queue_delete(queue)
connection.close()
