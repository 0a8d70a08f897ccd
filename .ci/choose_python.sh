#!/bin/sh
# Prints the Python that the virtual environments are made from: the one of .venv when there is one, else python3.11,
# else python3.13. Root on Debian without any: installs Debian's own. Anybody else: one sentence, exit 2.
#   usage, from the repository root: choose_python.sh
set -u

# A name on the path proves nothing: version switchers put shims there that only say that nothing is installed.
usable() {
    "$1" -c "import ensurepip, sys, venv; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 13)))" >/dev/null 2>&1
}

choose() {
    for candidate in .venv/bin/python python3.11 python3.13 python3; do
        if usable "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

choose && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    {
        apt-get update
        for version in 3.11 3.13; do
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "python$version" "python$version-venv" && break
        done
    } >&2
    choose && exit 0
fi
echo "Maquette needs Python 3.11 or 3.13 with its venv module: install python3.11 and python3.11-venv (Debian's names) and run it again." >&2
exit 2
