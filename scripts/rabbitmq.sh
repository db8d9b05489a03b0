# A private RabbitMQ for the tests, in "$work/rabbitmq", on free ports, with a port mapper of its own.
# shellcheck shell=bash disable=SC2154

rabbit_bin=/usr/lib/rabbitmq/bin

install_rabbitmq() {
    # The tests of TLS make their certificates with openssl.
    [ -x "$rabbit_bin/rabbitmq-server" ] && command -v openssl >/dev/null && return
    install_quietly rabbitmq-server openssl || { echo "or install RabbitMQ into $rabbit_bin by hand"; return 1; }
}

# rabbit_env PORT COMMAND...
rabbit_env() {
    local dir="$work/rabbitmq" port=$1
    shift
    env HOME="$dir/home" ERL_CRASH_DUMP="$dir/crash.dump" RABBITMQ_NODENAME="gatepost$port@localhost" \
        RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$port" RABBITMQ_DIST_PORT=$((port + 1)) \
        ERL_EPMD_PORT=$((port + 2)) ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_MNESIA_BASE="$dir/db" RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_PID_FILE="$dir/pid" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" RABBITMQ_CONFIG_FILE="$dir/rabbitmq" \
        RABBITMQ_ADVANCED_CONFIG_FILE="$dir/none" RABBITMQ_CONF_ENV_FILE="$dir/none" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+sbwt none +sbwtdcpu none +sbwtdio none' "$@"
}

start_rabbitmq() {
    install_rabbitmq || return 1
    local dir="$work/rabbitmq" port
    for _ in 1 2 3 4 5; do
        rm -rf "$dir"
        mkdir -p "$dir/home"
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
        printf '%s\n' "listeners.tcp.default = 127.0.0.1:$port" 'log.file.level = warning' \
            'vm_memory_high_watermark.absolute = 2GB' 'disk_free_limit.absolute = 50MB' >"$dir/rabbitmq.conf"
        echo '[].' >"$dir/plugins"
        rabbit_env "$port" setsid "$rabbit_bin/rabbitmq-server" >"$dir/out" 2>&1 </dev/null &
        echo "$port $!" >"$work/rabbitmq.process"
        for _ in $(seq 240); do
            kill -0 $! 2>/dev/null || break
            # Its listener is the last thing that it starts.
            if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
                echo "$port" >"$work/rabbitmq.port"
                return 0
            fi
            sleep 0.5
        done
        tail -n 30 "$dir/out"
        stop_rabbitmq
    done
    return 1
}

# Nothing of it is kept, so it is not asked to leave.
stop_rabbitmq() {
    local port leader
    read -r port leader <"$work/rabbitmq.process" || return 0
    kill -KILL -- "-$leader" "$(cat "$work/rabbitmq/pid" 2>/dev/null || echo "$leader")" 2>/dev/null
    # The port mapper does not end while it believes in a node.
    for _ in $(seq 20); do
        epmd -port $((port + 2)) -kill 2>/dev/null | grep -q Killed && break
        sleep 0.1
    done
    rm -f "$work/rabbitmq.process"
}
