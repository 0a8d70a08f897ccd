#!/bin/sh
# Which system libraries of Blender's Python module are missing?
#   usage: system_libraries.sh PYTHON
# Nothing missing: says nothing. Root on Debian or a relative of it: installs them. Anybody else: one sentence, exit 2.
set -u
python=$1

[ "$(uname -s)" = Linux ] || exit 0

# soname and the Debian package that brings it; the last is for Blender's Workbench and EEVEE, which abort without it
table="libX11.so.6 libx11-6
libXrender.so.1 libxrender1
libXfixes.so.3 libxfixes3
libXi.so.6 libxi6
libxkbcommon.so.0 libxkbcommon0
libSM.so.6 libsm6
libGL.so.1 libgl1
libXxf86vm.so.1 libxxf86vm1
libgomp.so.1 libgomp1
libEGL.so.1 libegl1"

missing_packages() {
    echo "$table" | while read -r soname package; do
        "$python" -c "import ctypes, sys; ctypes.CDLL(sys.argv[1])" "$soname" 2>/dev/null || printf ' %s' "$package"
    done
}

packages=$(missing_packages)
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
    packages=$(missing_packages)
    [ -n "$packages" ] || exit 0
fi
echo "Blender needs system libraries that are missing here; install these packages (Debian's names) and run it again:$packages" >&2
exit 2
