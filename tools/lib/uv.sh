# shellcheck shell=bash
# uv in a private folder, told what pip's own configuration says (mirror, certificate, folders).

UV_PIN="uv==0.13.9"

# pip_setting NAME: a value of pip's configuration; PIP_* variables win over files, as they do for pip.
pip_setting() {
    local section value
    for section in ':env:' install global; do
        value="$(sed -n -E "s/^$section\\.$1='(.*)'\$/\\1/p" <<< "$PIP_CONFIGURATION" | sed 's/\\n/ /g')"
        [ -z "$value" ] || break
    done
    # shellcheck disable=SC2086
    echo $value # unquoted: one space between several values
}

# Export UV_* from pip's configuration; what the user set for uv already stays.
translate_pip_configuration() {
    local value
    PIP_CONFIGURATION="$("$TOOLS/uv/bin/python" -m pip config list 2> /dev/null || true)"
    value="$(pip_setting index-url)"
    [ -z "$value" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$value}"
    value="$(pip_setting extra-index-url)"
    if [ -n "$value" ]; then
        export UV_INDEX="${UV_INDEX:-$value}"
        # pip takes the best version of all indexes; uv would stop at the first that knows the name.
        export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
    fi
    value="$(pip_setting find-links)"
    [ -z "$value" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-${value// /,}}"
    value="$(pip_setting trusted-host)"
    [ -z "$value" ] || export UV_INSECURE_HOST="${UV_INSECURE_HOST:-$value}"
    value="$(pip_setting cert)"
    [ -z "$value" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$value}"
    value="$(pip_setting no-index)"
    # shellcheck disable=SC2034  # read by those who call uv
    case "$value" in 1 | true | yes | on | True) NO_INDEX=(--no-index) ;; *) NO_INDEX=() ;; esac
    # Big wheels over a slow line: give each read more than uv's 30 s.
    export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
}

# install_uv PYTHON: leaves a working $TOOLS/uv/bin/uv.
install_uv() {
    if ! "$TOOLS/uv/bin/uv" --version > /dev/null 2>&1; then
        say "uv: installing into .tools/uv"
        rm -rf "$TOOLS/uv"
        quietly "$1" -m venv "$TOOLS/uv" || explain "making .tools/uv"
        quietly "$TOOLS/uv/bin/python" -m pip install --disable-pip-version-check "$UV_PIN" ||
            explain "installing uv"
    fi
    # shellcheck disable=SC2034
    UV="$TOOLS/uv/bin/uv"
    translate_pip_configuration
}
