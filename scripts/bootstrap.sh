#!/usr/bin/env bash
# Brings what the machine lacks: system packages, a virtual environment, the front-end libraries.
# usage: scripts/bootstrap.sh run|test
# Run by make before everything else, so it says nothing and takes a moment when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?usage: scripts/bootstrap.sh run|test}
venv=.venv
oldest=11
newest=14
packages=()

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# The newest-proven first: the machine's own python3, then every supported version by name.
find_python() {
    local name
    for name in python3 $(seq -f 'python3.%g' "$oldest" "$newest"); do
        if "$name" -c "import sys; sys.exit(not (3, $oldest) <= sys.version_info < (3, $newest + 1))" 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
}

say_python_is_missing() {
    say "Paraph needs Python 3.$oldest to 3.$newest, and this machine's is $(python3 --version 2>&1)."
    if apt-cache show "python3.$oldest" >/dev/null 2>&1; then
        say "Ubuntu 22.04 has a newer one beside it. Install it, then try again:"
        fail "    sudo apt-get install -y python3.$oldest python3.$oldest-venv"
    fi
    fail "Install one of them (any name from python3.$oldest to python3.$newest is found), then try again."
}

want() { # want PACKAGE COMMAND...: the package, unless the command succeeds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || packages+=("$package")
}

has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/postgres' || command -v postgres; }
has_browser() { command -v chromium || [ -n "$(find "${PLAYWRIGHT_BROWSERS_PATH:-${HOME:-}/.cache/ms-playwright}" -maxdepth 1 -name 'chromium*' 2>/dev/null)" ]; }
is_ubuntu() { grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        sudo "$@"
    else
        say "Something is missing that only root can install. Run this once, then try again:"
        fail "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}"
    fi
}

install_packages() {
    [ ${#packages[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "Install what these Debian packages hold, then try again: ${packages[*]}"
    say "Installing: ${packages[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" >&2
    packages=()
}

system_packages() {
    [ -n "${PKCS11_MODULE:-}" ] || want softhsm2 test -e /usr/lib/softhsm/libsofthsm2.so
    want python3 command -v python3
    want util-linux command -v setpriv
    want gettext command -v msgfmt
    want fonts-noto-core test -e /usr/share/fonts/truetype/noto/NotoSans-Regular.ttf
    want fonts-unifont test -e /usr/share/fonts/opentype/unifont/unifont.otf
    if [ "$purpose" = test ]; then
        want softhsm2 command -v softhsm2-util
        want postgresql has_postgresql
        want redis-server command -v redis-server
        want poppler-utils command -v pdfsig
        want qpdf command -v qpdf
        want mupdf-tools command -v mutool
        want openssl command -v openssl
        want default-jdk-headless command -v javac
        want maven command -v mvn
        want opensc test -n "$(find /usr/lib -name pkcs11-spy.so -print -quit 2>/dev/null)"
        # On Ubuntu the package of this name is a stub for a snap; Playwright brings its own below.
        is_ubuntu || want chromium has_browser
    fi
    install_packages
    if [ ! -x "$venv/bin/python" ]; then
        python=$(find_python)
        [ -n "$python" ] || say_python_is_missing
        want "$("$python" -c 'import sys; print(f"python3.{sys.version_info[1]}-venv")')" "$python" -c 'import ensurepip, venv'
        install_packages
    fi
}

lock_hash() { cat "$@" scripts/bootstrap.sh | sha256sum | cut -d ' ' -f 1; }

# One stamp for each lock file: it holds the hash of the lock that was installed.
install_lock() {
    local lock=$1 stamp="$venv/.$1.stamp" hash
    hash=$(lock_hash "$lock")
    [ "$(cat "$stamp" 2>/dev/null)" != "$hash" ] || return 0
    say "Installing $lock into $venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" >&2 ||
        fail "$lock could not be installed; what pip said stands above."
    printf '%s\n' "$hash" >"$stamp"
}

virtual_environment() {
    if [ ! -x "$venv/bin/python" ]; then
        say "Making $venv with $("$python" --version)"
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
    install_lock requirements.txt
    [ "$purpose" != test ] || install_lock requirements-dev.txt
}

front_end() {
    command -v npm >/dev/null || [ -x "$venv/bin/npm" ] || install_lock requirements-assets.txt
    "$venv/bin/python" scripts/assets.py >&2
}

# veraPDF, which says whether a file is PDF/A: the jars of pom.xml, exactly those of the list with their hashes.
pdfa_checker() {
    local source=tests/support/pdfa folder=.verapdf hash
    [ "$purpose" = test ] || return 0
    hash=$(lock_hash "$source/pom.xml" "$source/jars.sha256")
    [ "$(cat "$folder/.stamp" 2>/dev/null)" != "$hash" ] || return 0
    say "Installing veraPDF into $folder"
    rm -rf "$folder"
    mvn --batch-mode --quiet -Dstyle.color=never --file "$source/pom.xml" process-resources -Dfolder="$PWD/$folder" >&2 ||
        fail "veraPDF could not be downloaded; what Maven said stands above."
    (cd "$folder" && sha256sum -- *.jar) | diff "$source/jars.sha256" - >&2 ||
        fail "What was downloaded is not what $source/jars.sha256 names; the differences stand above."
    printf '%s\n' "$hash" >"$folder/.stamp"
}

# What Django reads of the translations is made of what translators write.
messages() {
    local catalogue
    for catalogue in locale/*/LC_MESSAGES/django.po; do
        [ "${catalogue%.po}.mo" -nt "$catalogue" ] || msgfmt --check-format -o "${catalogue%.po}.mo" "$catalogue"
    done
}

browser() {
    [ "$purpose" = test ] || return 0
    has_browser >/dev/null && return 0
    say "Downloading Chromium with Playwright"
    packages=(chromium)
    as_root "$PWD/$venv/bin/python" -m playwright install-deps chromium >&2
    "$venv/bin/python" -m playwright install chromium >&2 ||
        fail "There is no Chromium and it could not be downloaded. Put one into PATH under the name chromium, then try again."
}

system_packages
virtual_environment
front_end
pdfa_checker
messages
browser
