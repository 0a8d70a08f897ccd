#!/bin/sh
# A folder with a distribution's own Blender, for sessions with a real window on a computer without a screen.
# usage: make_root.sh FOLDER [SUITE]     as root, on Debian; idempotent; takes 2-3 minutes and 1.4 GB
# SUITE trixie has Blender 4.3 (Python 3.13), sid has 5.x (Python 3.14: build the zip with --extra-python 3.14).
set -eu
ROOT=$1
SUITE=${2:-trixie}
command -v debootstrap >/dev/null || {
  apt-get update -q
  apt-get install -qy --no-install-recommends debootstrap
}
if [ ! -e "$ROOT/.ready" ]; then
  [ -x "$ROOT/usr/bin/apt-get" ] || debootstrap --variant=minbase "$SUITE" "$ROOT"
  printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d" # packages start no services
  chmod +x "$ROOT/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
  export DEBIAN_FRONTEND=noninteractive
  chroot "$ROOT" apt-get -o Acquire::Check-Valid-Until=false update -q
  chroot "$ROOT" apt-get install -qy --no-install-recommends blender python3-numpy python3-requests \
    xvfb xauth xdotool scrot libgl1-mesa-dri libegl-mesa0 libglx-mesa0
  case "$SUITE" in sid) chroot "$ROOT" apt-get install -qy --no-install-recommends python3-cattr ;; esac
  chroot "$ROOT" apt-get clean
  rm -rf "$ROOT"/var/lib/apt/lists/*
  touch "$ROOT/.ready"
fi
mkdir -p "$ROOT/stage" "$ROOT/tmp/.X11-unix"
mountpoint -q "$ROOT/proc" || mount -t proc proc "$ROOT/proc"
mountpoint -q "$ROOT/dev" || {
  mount --rbind /dev "$ROOT/dev"
  mount --make-rslave "$ROOT/dev"
}
chroot "$ROOT" blender --version | sed -n 1p
# Before deleting the folder: umount -R -l FOLDER/dev; umount -l FOLDER/proc
