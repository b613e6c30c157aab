#!/usr/bin/env bash
# Reads all rows of a pipeline's topic with Kafka's own console consumer and prints them as JSON lines.
#
#   ./consume-rows.sh [BROKERS] [TOPIC]
#
# KAFKA_CONSOLE_CONSUMER names the program (default: kafka-console-consumer.sh of a Kafka distribution on PATH).
# Committed rows only; Caudal's control records have a null key and the header `caudal`, and are left out. The consumer has
# no end: it gives up 10 s after the last record (its message about that timeout is no error).
set -euo pipefail
brokers=${1:-127.0.0.1:9092}
topic=${2:-caudal.empresas.rows}
separator=$'\x1f'

${KAFKA_CONSOLE_CONSUMER:-kafka-console-consumer.sh} \
  --bootstrap-server "$brokers" --topic "$topic" --from-beginning --timeout-ms 10000 \
  --consumer-property isolation.level=read_committed \
  --property print.headers=true --property print.key=true --property key.separator="$separator" \
  --property headers.separator=',' --property null.literal='(null)' |
  awk -F "$separator" '!($1 ~ /(^|,)caudal:/ && $2 == "(null)") { print $NF }'
