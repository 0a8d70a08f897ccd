#!/bin/sh
# One session with a real window and a picture of it; ends only the processes that it started.
# usage: screenshot.sh ROOT ZIP OUT.png [ADDRESS [RUNTIME_FOLDER]]     as root; ROOT is what make_root.sh made
# ADDRESS is a server on this computer; RUNTIME_FOLDER is where it left its token (<port>.json).
# MAQUETTE_SHOT_SCRIPT names another story than open_panel.py; pictures that it takes itself lie in ROOT/stage.
# MAQUETTE_SHOT_HEIGHT is that of the screen in pixels, 860 unless it is said.
set -eu
ROOT=$1
ZIP=$2
OUT=$3
ADDRESS=${4:-}
RUNTIME=${5:-}
HERE=$(dirname "$0")
STAGE=$ROOT/stage
rm -rf "$STAGE"
mkdir -p "$STAGE/home" "$STAGE/user" "$STAGE/run/maquette"
chmod 700 "$STAGE/run"
cp "$ZIP" "$STAGE/maquette.zip"
cp "$HERE/telling.py" "$STAGE/"
cp "$HERE/${MAQUETTE_SHOT_SCRIPT:-open_panel.py}" "$STAGE/open_panel.py"
[ -z "$RUNTIME" ] || cp "$RUNTIME"/*.json "$STAGE/run/maquette/"
cat >"$STAGE/run.sh" <<'R'
export HOME=/stage/home BLENDER_USER_RESOURCES=/stage/user XDG_RUNTIME_DIR=/stage/run LIBGL_ALWAYS_SOFTWARE=1
export DISPLAY=:93 MAQUETTE_SHOT_LOG=/stage/log
blender --command extension install-file -r user_default --enable /stage/maquette.zip
X=
B=
trap 'kill $B $X 2>/dev/null' EXIT
Xvfb :93 -screen 0 "1280x${HEIGHT}x24" +extension GLX -nolisten tcp >/stage/xvfb.log 2>&1 &
X=$!
sleep 1
blender -p 0 0 1280 "$HEIGHT" --python /stage/open_panel.py >/stage/blender.log 2>&1 &
B=$!
i=0
while [ $i -lt 2400 ] && [ ! -s /stage/log ]; do
  sleep 0.5
  i=$((i + 1))
done
sleep 2
scrot -o /stage/shot.png
R
HEIGHT=${MAQUETTE_SHOT_HEIGHT:-860} MAQUETTE_SHOT_ADDRESS=$ADDRESS chroot "$ROOT" sh /stage/run.sh
cat "$STAGE/blender.log" | tail -n 20
grep -q ready "$STAGE/log"
cp "$STAGE/shot.png" "$OUT"
