"""Reads all rows of a pipeline's topic, each exactly once, and prints them as JSON lines.

Three things make it exactly once: isolation.level read_committed (rows of an upload that was cut off are never seen),
control records are skipped (null key, header `caudal`), and whoever stores results must store the offset with them.

    pip install -r requirements.txt
    python consume_rows.py --brokers 127.0.0.1:9092 --topic caudal.empresas.rows [--follow]

Without --follow it ends at the present end of the topic. On stderr it says how many rows and control records it saw.
"""

import argparse
import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition


def is_control_record(message):
    """Caudal's own records among the rows: the end of an upload, for example."""
    return message.key() is None and any(name == "caudal" for name, _ in message.headers() or [])


def open_consumer(brokers, topic):
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "caudal-example-consumer",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            # Tells the end of each partition, control batches of Kafka's own included.
            "enable.partition.eof": True,
        }
    )
    metadata = consumer.list_topics(topic, timeout=30).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    partitions = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in metadata.partitions]
    consumer.assign(partitions)
    return consumer, len(partitions)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--topic", default="caudal.empresas.rows")
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    options = parser.parse_args()
    consumer, partitions = open_consumer(options.brokers, options.topic)
    rows, control_records, ended = 0, 0, set()
    try:
        while options.follow or len(ended) < partitions:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error() is not None:
                if message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                ended.add(message.partition())
            elif is_control_record(message):
                control_records += 1
            else:
                rows += 1
                print(json.dumps(json.loads(message.value()), ensure_ascii=False), flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()
    print(f"{rows} rows, {control_records} control records skipped", file=sys.stderr)


if __name__ == "__main__":
    main()
